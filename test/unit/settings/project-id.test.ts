import { expect, test } from "bun:test";
import { projectFolder, projectId } from "../../../src/settings/project-id.ts";

test("projectId: 16 hex digits that hang on both the folder and the remote", () => {
  const id = projectId("/home/alice/p", "https://h/p/");
  // printf '/home/alice/p\0https://h/p/' | sha256sum
  expect(id).toBe("af1abef40c8d50d4");
  const others = [
    projectId("/home/alice/q", "https://h/p/"),
    projectId("/home/alice/p", "https://h/q/"),
    projectId("/home/alice", "/p\0https://h/p/"),
  ];
  expect(new Set([id, ...others]).size).toBe(4);
  expect(projectFolder("/s", id)).toBe(`/s/${id}`);
});
