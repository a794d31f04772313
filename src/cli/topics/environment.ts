import type { Topic } from "../topic.ts";

export const environmentTopic: Topic = {
  name: "environment",
  title: "Environment",
  summary: "Environment variables that are read",
  parts: [
    {
      kind: "rows",
      heads: ["variable", "what it does"],
      rows: [
        ["`CLAUDE_MIRROR_CONFIG_DIR`", "Folder of the settings and token files, instead of `~/.config/claude_mirror`."],
        ["`XDG_STATE_HOME`, `XDG_DATA_HOME`", "Where records, trash and installed parts go: `help files`."],
        ["`CLAUDE_CONFIG_DIR`", "Claude Code's own folder, instead of `~/.claude`."],
        [
          "`CLAUDE_MIRROR_WEBDAV_PASSWORD`",
          "The WebDAV password for `init`, `clone` and `auth`, where nobody can be asked.",
        ],
        [
          "`CLAUDE_MIRROR_DEBUG`",
          "Set to `1`: every request is told, and failures come with the place in the program.",
        ],
        ["`CLAUDE_MIRROR_AUTH_VERBOSE`", "Set to `1`: every refresh of a sign-in is told."],
        ["`CLAUDE_MIRROR_NO_UPDATE_CHECK`", "Set to `1`: nobody is asked for a newer version unless you ask."],
        ["`CLAUDE_MIRROR_BASE_URL`", "Where releases are, instead of the address that the program was built with."],
        [
          "`CLAUDE_MIRROR_ENDPOINT_...`",
          "An address that stands in for a service's own, such as `CLAUDE_MIRROR_ENDPOINT_DROPBOX_API`; `https`, or this machine.",
        ],
        ["`NODE_EXTRA_CA_CERTS`", "A PEM file with certificate authorities to trust besides the usual ones."],
        ["`NO_COLOR`, `FORCE_COLOR`", "No colour at all; colour also where no terminal is."],
        ["`EDITOR`, `VISUAL`", "The editor for a conflict that is merged by hand."],
        ["`BROWSER`", "The program that opens the page of a sign-in."],
      ],
    },
  ],
};
