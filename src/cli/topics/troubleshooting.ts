import type { Topic } from "../topic.ts";

const HEADS = ["message", "what to do"] as const;

export const troubleshootingTopic: Topic = {
  name: "troubleshooting",
  title: "Troubleshooting",
  summary: "What messages mean, and what to do",
  parts: [
    {
      kind: "text",
      text: "`claude-mirror doctor` looks at settings, records, sign-in and the remote, and says what is wrong with each. `CLAUDE_MIRROR_DEBUG=1` before a command tells every request.",
    },
    { kind: "heading", text: "Signing in" },
    {
      kind: "rows",
      heads: HEADS,
      rows: [
        [
          "`Not authenticated. Run claude-mirror auth first.`",
          "This machine has no sign-in for the project yet, or its token file is gone. Run `claude-mirror auth`.",
        ],
        [
          "`Google asks for a new sign-in`",
          "Run `claude-mirror auth`. If it comes back every week or every day, the Google app is still in testing or the organisation ends sign-ins: `claude-mirror auth --check` tells which, docs/google-drive.md what helps.",
        ],
        [
          "`A code is good once and for a few minutes`",
          "Run `claude-mirror auth` again and paste the new code at once.",
        ],
        [
          "`Microsoft no longer accepts the saved sign-in`",
          "It was ended or not used for 90 days. Run `claude-mirror auth`.",
        ],
        [
          "`does not accept the username and password (401)`",
          "With two-factor sign-in Nextcloud and ownCloud want an app password, made in their settings. Run `claude-mirror auth` and give it.",
        ],
      ],
    },
    { kind: "heading", text: "The remote" },
    {
      kind: "rows",
      heads: HEADS,
      rows: [
        [
          "`Could not make the remote folder`",
          "The server does not let clients make it, or the folder above is missing: make it on the server's web page, then run the command again.",
        ],
        [
          "`did not answer as a WebDAV server`",
          "Another server, a proxy or a network's sign-in page answered. Open `webdav_url` in a browser.",
        ],
        [
          "`asks to slow down`",
          "It is waited for. When that takes too long, run the command again later; what is done is done.",
        ],
        ["`pending retry`", "A mirror missed these files; the next push sends them, `claude-mirror retry` at once."],
        ["`ACTION REQUIRED`", "A mirror needs you: the line below it says what to do, then run `claude-mirror retry`."],
      ],
    },
    { kind: "heading", text: "Refused or held" },
    {
      kind: "rows",
      heads: HEADS,
      rows: [
        [
          "`would be deleted`",
          "More files would go than a person usually deletes. Look with `claude-mirror status`; if it is meant, add `--allow mass-delete`.",
        ],
        [
          "`The project folder holds none of`",
          "A disk that is not mounted looks like this. Mount it; if the folder is meant to be empty, add `--allow empty-root`.",
        ],
        [
          "`The remote folder holds none of`",
          "It was moved, is not mounted, or is another one. Bring it back; if it is meant, add `--allow remote-gone`.",
        ],
        ["`was written by a later version of claude-mirror`", "Update this machine: `claude-mirror update --apply`."],
        [
          "`conflict markers are left in it`",
          "A merge was begun and not finished. Finish it in the file, then run the command again.",
        ],
        [
          "`Held`",
          "This file cannot be on one of the two sides, its name for instance, or could not be read; the line says which. The other files went on.",
        ],
        [
          "`another run holds the lock`",
          "Wait for it to end. The lock of a run that was killed is taken over by itself.",
        ],
        [
          "`belongs to more than one config`",
          "Two configs name the folder: choose with `--config`, or make one a mirror of the other (`mirror_config_paths`).",
        ],
      ],
    },
    { kind: "heading", text: "Notices" },
    {
      kind: "rows",
      heads: HEADS,
      rows: [
        ["no message on the desktop", "`claude-mirror test-notify` shows one and says what the system needs for it."],
        [
          "nothing in Claude Code",
          "`claude-mirror install --only hook` sets the hook up; the watcher has to run: `claude-mirror watch-all`, or as a service `claude-mirror install --only service`.",
        ],
      ],
    },
  ],
};
