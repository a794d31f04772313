import type { Topic } from "../topic.ts";

const HEADS = ["file", "what it is"] as const;

export const filesTopic: Topic = {
  name: "files",
  title: "Files",
  summary: "Where settings, records and copies are kept",
  parts: [
    { kind: "heading", text: "Settings" },
    {
      kind: "rows",
      heads: HEADS,
      rows: [
        [
          "`~/.config/claude_mirror/PROJECT.yaml`",
          "The settings of a project; mode 0600, a webhook's address is in it.",
        ],
        [
          "`~/.config/claude_mirror/profiles/NAME.yaml`",
          "Settings that several projects share; mode 0600: `claude-mirror profile`.",
        ],
        [
          "`~/.config/claude_mirror/BACKEND-PROJECT-token.json`",
          "What signs in to WebDAV, Dropbox or OneDrive. Yours alone, mode 0600: copy it to your other machines, not to other people.",
        ],
        [
          "`~/.config/claude_mirror/ACCOUNT-credentials.json`, `ACCOUNT-token.json`",
          "Google: the client's credentials, which a team shares, and your own sign-in, which it does not.",
        ],
      ],
    },
    { kind: "heading", text: "In a project" },
    {
      kind: "rows",
      heads: HEADS,
      rows: [
        ["`.claude_mirror_ignore`", "What to leave out, by the rules of gitignore. Yours to write."],
        [
          "`.claude_mirror_manifest.json`",
          "What both sides agreed on. Do not edit it; without it files that differ count as conflicts.",
        ],
        ["`.claude_mirror_hash_cache.json`", "Digests of files that did not change. Made anew when it is gone."],
        ["`.claude_mirror_inbox.jsonl`", "What collaborators changed and nobody has been told yet."],
        ["`NAME.conflict-XXXXXXXX.EXT`", "The other version of a file whose conflict was settled by keeping both."],
      ],
    },
    { kind: "heading", text: "Records" },
    {
      kind: "rows",
      heads: HEADS,
      rows: [
        [
          "`~/.local/state/claude-mirror`",
          "Indexes, listings, locks and interrupted uploads of each project, the conflicts that runs have left, and what the watcher has read. Losing it costs time, never data. `XDG_STATE_HOME` moves it.",
        ],
        [
          "`~/.local/share/claude-mirror/ID/trash`",
          "Files that a run replaced or removed here, for 30 days: `claude-mirror trash`. `XDG_DATA_HOME` moves it.",
        ],
        [
          "`~/.local/share/claude-mirror/installed`",
          "What `claude-mirror install` changed, and the bytes that were there before.",
        ],
      ],
    },
    { kind: "heading", text: "On the remote" },
    {
      kind: "rows",
      heads: HEADS,
      rows: [
        ["`_claude_mirror_snapshots`, `_claude_mirror_blobs`", "The snapshots, and the contents that they share."],
        ["`_claude_mirror_logs`", "Who changed what and when, read by `claude-mirror log` and the watchers."],
      ],
    },
    { kind: "heading", text: "Put in place by claude-mirror install" },
    {
      kind: "rows",
      heads: HEADS,
      rows: [
        ["`~/.claude/skills/claude-mirror/SKILL.md`", "The skill of Claude Code."],
        ["`~/.claude/settings.json`", "Claude Code's settings; our hook is one entry of them."],
        ["`~/.config/systemd/user/claude-mirror-watch.service`", "The watcher as a service, on Linux."],
        ["`~/Library/LaunchAgents/com.claude-mirror.watch.plist`", "The same on macOS."],
        ["`~/.local/share/man/man1/claude-mirror.1`", "The manual page."],
      ],
    },
  ],
};
