// A steady trickle of requests by some members of a crowd: start, now and then start again (a
// takeover), stop.  Every outcome is kept; nothing is judged here.
import { rtmpUrl } from './crowd.mjs';
import { now, slack } from './recorder.mjs';

const takeoverPart = 0.3; /* of the cycles */
const endMs = 30000; /* a stream that was asked to stop has told its end by then, or it is counted */

export class Trickle {
  #running = true;
  #workers;

  outcomes = []; /* of Member.request(), and {kind: 'unended'} for an end that never came */
  ended = 0;
  cycles = 0;

  /**
   * @members: who asks, one request at a time each.
   * @workers: cycles at the same time; @pauseMs between two of one worker.
   * @timeoutMs: of a request: beyond it the app heard nothing.
   */
  constructor(crowd, members, { workers = 4, pauseMs = 100, timeoutMs = 10000 } = {}) {
    Object.assign(this, { crowd, pauseMs, timeoutMs: timeoutMs * slack });
    this.idle = [...members];
    this.#workers = Array.from({ length: workers }, () => this.#work());
  }

  async #work() {
    while (this.#running) {
      const member = this.#take();

      if (member) {
        await this.#cycle(member);
        this.idle.push(member);
      }
      await new Promise((resolve) => setTimeout(resolve, this.pauseMs));
    }
  }

  /* Somebody who is there; an app that was refused is away for some seconds. */
  #take() {
    const ready = this.idle.filter((member) => member.ready);

    if (ready.length === 0) return null;
    const member = ready[Math.floor(this.crowd.random() * ready.length)];

    this.idle.splice(this.idle.indexOf(member), 1);
    return member;
  }

  async #request(member) {
    const outcome = await member.request(rtmpUrl, this.timeoutMs);

    this.outcomes.push(outcome);
    return outcome;
  }

  async #cycle(member) {
    let last = await this.#request(member);

    if (last.kind === 'accepted' && this.crowd.random() < takeoverPart)
      last = await this.#request(member);
    if (last.kind === 'accepted') {
      await this.#end(member, last.streamId);
      this.cycles++;
    }
  }

  async #end(member, streamId) {
    member.stop(streamId);
    const stream = member.stream(streamId);

    await this.crowd
      .until(() => stream.terminals > 0 || !member.app.ready, endMs, `the end of ${streamId}`)
      .then(
        () => this.ended++,
        () => this.outcomes.push({ kind: 'unended', member, streamId, began: now() }),
      );
  }

  /** Ends after the cycles that are under way. */
  async stop() {
    this.#running = false;
    await Promise.all(this.#workers);
  }

  of(kind) {
    return this.outcomes.filter((outcome) => outcome.kind === kind);
  }

  /** Milliseconds from request to `initializing`, of those that were accepted. */
  latencies(from = 0, to = Infinity) {
    return this.of('accepted')
      .filter((outcome) => outcome.began >= from && outcome.began < to)
      .map((outcome) => outcome.ms);
  }
}
