import { join } from "node:path";

/** A program that runs from login on, as this system knows it. */
export interface ServiceFile {
  readonly kind: "systemd" | "launchd" | "task";
  /** Absolute. */
  readonly file: string;
  readonly content: Uint8Array;
  /** Each a program and its words. */
  readonly start: readonly (readonly string[])[];
  /** Run before the file goes. */
  readonly stop: readonly (readonly string[])[];
  /** Run once it is gone. */
  readonly forget: readonly (readonly string[])[];
}

export interface ServiceRequest {
  readonly platform: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly home: string;
  /** Absolute path of the program. */
  readonly program: string;
  /** A folder of ours, for what the system does not keep a place for. */
  readonly folder: string;
}

/** The names that the Python tool uses, too: there is one watcher. */
const UNIT = "claude-mirror-watch";
const LABEL = "com.claude-mirror.watch";

/** Variables of the person's shell that the watcher needs to find the same projects and servers. */
const HANDED_ON = ["CLAUDE_MIRROR_CONFIG_DIR", "XDG_STATE_HOME", "XDG_DATA_HOME", "NODE_EXTRA_CA_CERTS"];

/** The service that runs `claude-mirror watch-all`. */
export function watcherService(request: ServiceRequest): ServiceFile {
  switch (request.platform) {
    case "darwin":
      return launchAgent(request);
    case "win32":
      return scheduledTask(request);
    default:
      return systemdUnit(request);
  }
}

function environmentOf({ env }: ServiceRequest): readonly (readonly [string, string])[] {
  const own = HANDED_ON.flatMap((name) => (env[name] ? [[name, env[name]] as const] : []));
  return [["GRPC_VERBOSITY", "ERROR"], ...own];
}

/** systemd.service(5), systemd.exec(5). */
function systemdUnit(request: ServiceRequest): ServiceFile {
  const { env, home, program } = request;
  const variables = environmentOf(request).map(([name, value]) => `Environment=${unitWord(`${name}=${value}`)}\n`);
  const text = `[Unit]
Description=claude-mirror watcher: tells what collaborators change
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=${unitWord(program)} watch-all
Restart=on-failure
RestartSec=10
${variables.join("")}StandardOutput=journal
StandardError=journal

[Install]
WantedBy=default.target
`;
  const systemctl = ["systemctl", "--user"];
  return {
    kind: "systemd",
    file: join(env["XDG_CONFIG_HOME"] || join(home, ".config"), "systemd/user", `${UNIT}.service`),
    content: Buffer.from(text),
    start: [
      [...systemctl, "daemon-reload"],
      [...systemctl, "enable", UNIT],
      [...systemctl, "restart", UNIT],
    ],
    stop: [[...systemctl, "disable", "--now", UNIT]],
    forget: [[...systemctl, "daemon-reload"]],
  };
}

/** One word of a unit file, quoted where it has to be (systemd.syntax(7), "Quoting"); `%` begins a specifier. */
function unitWord(text: string): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%");
  return /[\s"'\\;]/.test(text) ? `"${escaped}"` : escaped;
}

/** launchd.plist(5). */
function launchAgent(request: ServiceRequest): ServiceFile {
  const { home, program } = request;
  const log = join(home, "Library/Logs/claude-mirror-watch.log");
  const path = `/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:${join(home, ".local/bin")}`;
  const variables = [["PATH", path] as const, ...environmentOf(request)];
  const strings = (indent: string, words: readonly string[]) =>
    words.map((word) => `${indent}<string>${xmlText(word)}</string>\n`).join("");
  const text = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
    <key>Label</key>
    <string>${LABEL}</string>
    <key>ProgramArguments</key>
    <array>
${strings("        ", [program, "watch-all"])}    </array>
    <key>RunAtLoad</key>
    <true/>
    <key>KeepAlive</key>
    <true/>
    <key>StandardOutPath</key>
    <string>${xmlText(log)}</string>
    <key>StandardErrorPath</key>
    <string>${xmlText(log)}</string>
    <key>EnvironmentVariables</key>
    <dict>
${variables.map(([name, value]) => `        <key>${name}</key>\n        <string>${xmlText(value)}</string>\n`).join("")}    </dict>
</dict>
</plist>
`;
  const file = join(home, "Library/LaunchAgents", `${LABEL}.plist`);
  return {
    kind: "launchd",
    file,
    content: Buffer.from(text),
    start: [["launchctl", "load", "-w", file]],
    stop: [["launchctl", "unload", "-w", file]],
    forget: [],
  };
}

/** Task Scheduler Schema 1.2; `schtasks /XML` takes UTF-16 with a byte order mark. */
function scheduledTask({ program, folder }: ServiceRequest): ServiceFile {
  const text = `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>claude-mirror watcher: tells what collaborators change</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
    </LogonTrigger>
  </Triggers>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>999</Count>
    </RestartOnFailure>
  </Settings>
  <Actions>
    <Exec>
      <Command>${xmlText(program)}</Command>
      <Arguments>watch-all</Arguments>
    </Exec>
  </Actions>
</Task>
`;
  const file = join(folder, `${UNIT}.xml`);
  return {
    kind: "task",
    file,
    content: Buffer.from(`\ufeff${text}`.replaceAll("\n", "\r\n"), "utf16le"),
    start: [
      ["schtasks", "/Create", "/TN", UNIT, "/XML", file, "/F"],
      ["schtasks", "/Run", "/TN", UNIT],
    ],
    stop: [
      ["schtasks", "/End", "/TN", UNIT],
      ["schtasks", "/Delete", "/TN", UNIT, "/F"],
    ],
    forget: [],
  };
}

function xmlText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
