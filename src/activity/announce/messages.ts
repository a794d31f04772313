import type { AnnouncedEvent, AnnounceKind, AnnounceService } from "./model.ts";
import { actionsRequired, backendLines, contextLine, fileNames, headline, sentence, summary } from "./words.ts";

/** The JSON body that a service is sent. */
export function messageFor(event: AnnouncedEvent, service: Pick<AnnounceService, "kind" | "channel">): object {
  switch (service.kind) {
    case "slack":
      return slackMessage(event, service.channel);
    case "discord":
      return discordMessage(event);
    case "teams":
      return teamsMessage(event);
    case "webhook":
      return webhookMessage(event);
  }
}

/**
 * Slack Block Kit. Every text is `plain_text` without emoji codes: what stands in a file name stays what it is
 * (https://api.slack.com/reference/block-kit/composition-objects#text).
 */
function slackMessage(event: AnnouncedEvent, channel: string | undefined): object {
  const backends = backendLines(event);
  const required = actionsRequired(event);
  return {
    text: escaped(summary(event)),
    blocks: [
      slackSection(headline(event)),
      slackSection(["Files changed:", ...fileNames(event).map((name) => `• ${name}`)].join("\n")),
      ...(backends.length === 0
        ? []
        : [slackSection(["Per-backend status:", ...backends.map((line) => `  • ${line}`)].join("\n"))]),
      { type: "context", elements: [plainText(contextLine(event))] },
    ],
    ...(channel ? { channel } : {}),
    ...(required.length === 0
      ? {}
      : {
          attachments: [
            {
              color: "danger",
              blocks: [
                { type: "header", text: plainText("🔴 ACTION REQUIRED") },
                ...required.map((lines) => slackSection(lines)),
              ],
            },
          ],
        }),
  };
}

/** Slack takes 3,000 characters a section. */
const MOST_SECTION = 3000;

function slackSection(text: string): object {
  return { type: "section", text: plainText(text.slice(0, MOST_SECTION)) };
}

function plainText(text: string): object {
  return { type: "plain_text", text, emoji: false };
}

/** The fallback text is mrkdwn, where these three begin links and mentions (Slack, "Formatting text"). */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** A Discord embed; `allowed_mentions` keeps names from calling people. */
function discordMessage(event: AnnouncedEvent): object {
  const required = actionsRequired(event);
  const sections = [
    { name: "Files changed", lines: fileNames(event).map((name) => `• ${name}`) },
    { name: "Per-backend status", lines: backendLines(event) },
    { name: "🔴 ACTION REQUIRED", lines: required },
  ];
  return {
    embeds: [
      {
        title: withoutMarkdown(headline(event)).slice(0, 256),
        color: required.length > 0 ? 0xd0_2b_2b : 0x2b_7b_d0,
        fields: sections
          .filter(({ lines }) => lines.length > 0)
          .map(({ name, lines }) => ({ name, value: lines.map(withoutMarkdown).join("\n").slice(0, 1024) })),
        footer: { text: contextLine(event) },
        timestamp: event.timestamp.replace("+00:00", "Z"),
      },
    ],
    allowed_mentions: { parse: [] },
  };
}

function withoutMarkdown(text: string): string {
  return text.replace(/[\\*_~`|>[\]()#<@]/g, "\\$&");
}

/** The connector card of Microsoft Teams' incoming webhooks. */
function teamsMessage(event: AnnouncedEvent): object {
  const required = actionsRequired(event);
  const backends = backendLines(event);
  return {
    "@type": "MessageCard",
    "@context": "https://schema.org/extensions",
    summary: summary(event),
    themeColor: required.length > 0 ? "D02B2B" : "2B7BD0",
    title: withoutMarkdown(sentence(event)),
    sections: [
      ...(required.length === 0 ? [] : [teamsSection("🔴 ACTION REQUIRED", required)]),
      teamsSection("Files changed", fileNames(event)),
      ...(backends.length === 0 ? [] : [teamsSection("Per-backend status", backends)]),
      { text: contextLine(event) },
    ],
  };
}

function teamsSection(title: string, lines: readonly string[]): object {
  return { title, text: lines.map((line) => `- ${withoutMarkdown(line).replaceAll("\n", "  \n")}`).join("\n") };
}

/** For programs: names are as they are (reference 1.19, version 1). */
function webhookMessage({ action, user, machine, project, files, timestamp }: AnnouncedEvent): object {
  return { version: 1, event: action, user, machine, project, files, timestamp };
}

/** Where each service's own addresses are; other hosts are not sent to. */
const HOSTS: Readonly<Record<AnnounceKind, RegExp | undefined>> = {
  slack: /^hooks\.slack(-gov)?\.com$/,
  discord: /^((ptb|canary)\.)?discord(app)?\.com$/,
  teams: /(^|\.)(webhook\.office\.com|outlook\.office\.com|logic\.azure\.com|powerplatform\.com)$/,
  webhook: undefined,
};

/** Why an address is not sent to; undefined for a good one. Never shows it: it is a secret of its own. */
export function addressProblem(kind: AnnounceKind, address: string): string | undefined {
  let url: URL;
  try {
    url = new URL(address.trim());
  } catch {
    return "it is no web address";
  }
  if (url.protocol !== "https:") return "it must begin with https://";
  const hosts = HOSTS[kind];
  return hosts === undefined || hosts.test(url.hostname) ? undefined : `it is no address of ${kind}`;
}
