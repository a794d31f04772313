import { command } from "../command.ts";

export const testNotifyCommand = command({
  name: "test-notify",
  summary: "Show a message on the desktop, and say what it takes to see it",
  about: ["Exit code 1 when the system's program for it is missing or fails."],
  options: {},
  async run(ctx) {
    const { showOnDesktop } = await import("../../platform/desktop.ts");
    const { platform } = process;
    const message = { title: "claude-mirror", message: "Desktop notifications work." };
    const problem = await showOnDesktop(message, { platform, env: ctx.env });
    const steps = STEPS[platform] ?? STEPS["linux"] ?? [];
    return {
      result: { sent: problem === undefined, problem: problem ?? null, platform, steps },
      lines: [
        problem === undefined ? "A message was handed to the desktop." : `No message was shown: ${problem}.`,
        "If you do not see it:",
        ...steps.map((step, at) => `  ${at + 1}. ${step}`),
      ],
      exit: problem === undefined ? 0 : 1,
    };
  },
});

const STEPS: Readonly<Record<string, readonly string[]>> = {
  darwin: [
    "Run this command from Terminal (or iTerm2) once, so that macOS lists it.",
    "Open System Settings → Notifications, find Terminal (or iTerm2), and turn Allow Notifications on.",
    "Set the alert style to Banners or Alerts.",
    "For the background service: run claude-mirror watch once from Terminal and allow it there; a launchd agent has no entry of its own.",
  ],
  linux: [
    "Install notify-send: sudo apt install libnotify-bin, or sudo dnf install libnotify.",
    "A notification daemon must run; GNOME, KDE and XFCE bring one.",
    "For a systemd service: add Environment=DISPLAY=:0 and Environment=DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/UID/bus to it, UID being the output of id -u.",
  ],
  win32: [
    "Open Settings → System → Notifications and turn notifications on.",
    "Allow them for Windows PowerShell in the list below.",
    "Turn Do not disturb off.",
  ],
};
