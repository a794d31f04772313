import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { watcherService } from "../../../src/platform/service.ts";
import { writeProgram } from "../../support/install-home.ts";
import { tempFolder } from "../../support/temp.ts";

const folder = tempFolder("service");
const request = (platform: string, program = "/home/ada/.local/bin/claude-mirror", env: Record<string, string> = {}) =>
  watcherService({ platform, env, home: "/home/ada", program, folder });

function run(...words: string[]) {
  const { exitCode, stdout, stderr } = Bun.spawnSync(words, {
    env: { PATH: process.env["PATH"] ?? "", HOME: folder, XDG_RUNTIME_DIR: folder },
  });
  return { code: exitCode, said: stdout.toString() + stderr.toString() };
}

describe("watcherService", () => {
  test("watcherService: systemd finds nothing to complain of, a program with odd letters in its path included", () => {
    const program = join(folder, "a b 100% $x", "claude-mirror");
    Bun.spawnSync(["mkdir", "-p", join(program, "..")]);
    writeProgram(program, "exit 0");
    const { content, file } = request("linux", program, { CLAUDE_MIRROR_CONFIG_DIR: "/my configs/50%" });
    expect(file).toBe("/home/ada/.config/systemd/user/claude-mirror-watch.service");
    const unit = join(folder, "claude-mirror-watch.service");
    writeFileSync(unit, content);
    expect(run("systemd-analyze", "verify", "--user", "--man=no", unit)).toEqual({ code: 0, said: "" });
    writeFileSync(unit, Buffer.from(content).toString().replace("Restart=", "Restrat="));
    expect(run("systemd-analyze", "verify", "--user", "--man=no", unit).said).toContain("Restrat");
  });

  test("watcherService: the unit says what the watcher needs", () => {
    const text = Buffer.from(request("linux").content).toString();
    for (const line of [
      "ExecStart=/home/ada/.local/bin/claude-mirror watch-all",
      "Restart=on-failure",
      "RestartSec=10",
      "Environment=GRPC_VERBOSITY=ERROR",
      "WantedBy=default.target",
    ])
      expect(text.split("\n")).toContain(line);
  });

  test("watcherService: a parser of property lists reads the launchd agent", () => {
    const { content, file, start } = request("darwin", "/Users/a&b/claude-mirror");
    const plist = join(folder, "agent.plist");
    writeFileSync(plist, content);
    const script = "import plistlib, json, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
    const { said } = run("python3", "-c", script, plist);
    expect(JSON.parse(said)).toEqual({
      Label: "com.claude-mirror.watch",
      ProgramArguments: ["/Users/a&b/claude-mirror", "watch-all"],
      RunAtLoad: true,
      KeepAlive: true,
      StandardOutPath: "/home/ada/Library/Logs/claude-mirror-watch.log",
      StandardErrorPath: "/home/ada/Library/Logs/claude-mirror-watch.log",
      EnvironmentVariables: {
        PATH: "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:/home/ada/.local/bin",
        GRPC_VERBOSITY: "ERROR",
      },
    });
    expect(start).toEqual([["launchctl", "load", "-w", file]]);
  });

  test("watcherService: a parser of XML reads the scheduled task", () => {
    const { content, start } = request("win32", "C:\\Tools & more\\claude-mirror.exe");
    const xml = join(folder, "task.xml");
    writeFileSync(xml, content);
    const script =
      "import sys, xml.etree.ElementTree as e; n={'t':'http://schemas.microsoft.com/windows/2004/02/mit/task'}; r=e.parse(sys.argv[1]).getroot(); print(r.find('t:Actions/t:Exec/t:Command',n).text, r.find('t:Actions/t:Exec/t:Arguments',n).text)";
    expect(run("python3", "-c", script, xml)).toEqual({
      code: 0,
      said: "C:\\Tools & more\\claude-mirror.exe watch-all\n",
    });
    expect(start[0]?.slice(0, 4)).toEqual(["schtasks", "/Create", "/TN", "claude-mirror-watch"]);
  });
});
