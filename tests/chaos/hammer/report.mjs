// A summary as people read it.
const livesShownMax = 12;
const shownMax = 20; /* violations in text; summary.json has all */

const list = (counts) =>
  Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ') || 'none';

function slopeText({ name, seconds, rss_kib: rss, fds, threads }) {
  return (
    `  ${name.padEnd(20)} ${String(seconds).padStart(6)} s  memory ${rss.first} to ${rss.last} KiB ` +
    `(${rss.percent_per_hour} %/h), fds ${fds.first} to ${fds.last} (${fds.per_hour}/h), ` +
    `threads ${threads.first} to ${threads.last}`
  );
}

export function summaryText(summary) {
  const { violations } = summary;

  return [
    `seed ${summary.seed}, ${summary.glasses} glasses, ${summary.ran_s} s and ${summary.settled_s} s to settle`,
    `faults: ${list(summary.faults)}`,
    `requests: ${list(summary.requests)}`,
    ...(summary.opened ? [`streams opened: ${list(summary.opened)}; ended: ${list(summary.ended)}`] : []),
    ...(summary.events ? [`recorded: ${summary.events} events, ${summary.gaps} gaps`] : []),
    `stuck ${summary.stuck}, inputs left ${summary.inputs_left}, secrets found ${summary.secrets_found}, left ${summary.secrets_left ?? 'not known'}, ` +
      `log lines ${summary.log_lines_per_s}/s`,
    'the longest lives of daemons, after their warm-up:',
    ...summary.slopes.toSorted((a, b) => b.seconds - a.seconds).slice(0, livesShownMax).map(slopeText),
    `violations: ${violations.length}`,
    ...violations.slice(0, shownMax).map(({ what, details }) => `  ${what}: ${details}`),
  ].join('\n');
}
