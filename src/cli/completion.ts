import type { Shell } from "../platform/shells.ts";

/**
 * The script that teaches `shell` to complete `claude-mirror`. Every script hands the words typed so far to the hidden
 * command `__complete`, which answers one name a line, a tab and a description behind it, or `:file` or `:folder`.
 */
export function completionScript(shell: Shell): string {
  switch (shell) {
    case "bash":
      return BASH;
    case "zsh":
      return ZSH;
    case "fish":
      return FISH;
    case "powershell":
      return POWERSHELL;
  }
}

/** Works from bash 3.2 (macOS) on. */
const BASH = `# claude-mirror completion for bash: eval "$(claude-mirror completion bash)"
_claude_mirror() {
  local line current="\${COMP_WORDS[COMP_CWORD]}"
  [ "$current" = "=" ] && current=""
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      :file)
        compopt -o filenames 2>/dev/null
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current") ;;
      :folder)
        compopt -o filenames 2>/dev/null
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -d -- "$current") ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <(command claude-mirror __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _claude_mirror claude-mirror
`;

const ZSH = `#compdef claude-mirror
# claude-mirror completion for zsh: eval "$(claude-mirror completion zsh)"
_claude_mirror() {
  local line name
  local -a described
  while IFS= read -r line; do
    case "$line" in
      :file) _files; return ;;
      :folder) _files -/; return ;;
      *$'\\t'*) name="\${line%%$'\\t'*}"; described+=("\${name//:/\\\\:}:\${line#*$'\\t'}") ;;
      *) described+=("\${line//:/\\\\:}") ;;
    esac
  done < <(command claude-mirror __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  compset -P '--*='
  _describe -V 'claude-mirror' described
}
if ! (( $+functions[compdef] )); then autoload -Uz compinit && compinit -u; fi
compdef _claude_mirror claude-mirror
`;

const FISH = `# claude-mirror completion for fish: claude-mirror completion fish | source
function __claude_mirror_complete
    set -l current (commandline -ct)
    set -l before (commandline -opc)
    set -l answer (command claude-mirror __complete -- $before[2..-1] "$current" 2>/dev/null)
    set -l prefix ""
    if string match -qr -- '^--[^=]+=' "$current"
        set prefix (string replace -r -- '=.*' '=' "$current")
    end
    switch "$answer[1]"
        case ':file'
            __fish_complete_path (string replace -- "$prefix" "" "$current")
        case ':folder'
            __fish_complete_directories (string replace -- "$prefix" "" "$current")
        case '*'
            for line in $answer
                echo -- $prefix$line
            end
    end
end
complete -c claude-mirror -f -a '(__claude_mirror_complete)'
`;

/** Register-ArgumentCompleter -Native: works from PowerShell 5 on. An empty word is handed over as \`''\` of an older one. */
const POWERSHELL = `# claude-mirror completion for PowerShell: claude-mirror completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName claude-mirror -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.ToString().Trim("'", '"') })
    $typed = "$wordToComplete"
    $program = (Get-Command -CommandType Application claude-mirror | Select-Object -First 1).Source
    $answer = @(if ($typed -eq '' -and $PSVersionTable.PSVersion.Major -lt 7) { & $program __complete -- @words '""' } else { & $program __complete -- @words $typed })
    $prefix = if ($typed -match '^(--[^=]+=)') { $Matches[1] } else { '' }
    foreach ($line in $answer) {
        if ($line -eq ':file' -or $line -eq ':folder') {
            $only = $line -eq ':folder'
            Get-ChildItem -Path ($typed.Substring($prefix.Length) + '*') -Directory:$only -ErrorAction SilentlyContinue | ForEach-Object {
                $path = Resolve-Path -Relative $_.FullName
                if ($path -match '\\s') { $path = "'" + $path + "'" }
                [System.Management.Automation.CompletionResult]::new($prefix + $path, $_.Name, 'ParameterValue', $_.Name)
            }
            continue
        }
        $name, $help = $line -split "\`t", 2
        if (-not $help) { $help = $name }
        [System.Management.Automation.CompletionResult]::new($prefix + $name, $name, 'ParameterValue', $help)
    }
}
`;
