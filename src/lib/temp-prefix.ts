/** Temporary files of ours begin so; sync never sees them and the next run removes old ones. */
export const TEMP_PREFIX = ".claude_mirror_tmp_";
