// A user whose app starts, takes over, joins and ends streams of both kinds, comes and goes, all the time.
import { Member, terminal } from '../../lib/crowd_member.mjs';
import { elapse, randomFrom, seed } from '../../lib/crowd.mjs';
import { now } from '../../lib/recorder.mjs';
import { canaries } from './canaries.mjs';

/* An answer is due after 10 s and 25 s; what is later is for the judge. */
const requestMs = 20000;
const managedRequestMs = 40000;
const comeBackMs = 15000;
const lookMs = 200;
const endMs = 20000;
const outputsPart = 0.3; /* of managed streams */

const between = (random, [least, most]) => least + random() * (most - least);

/* What a user does next, and how often of a hundred times. */
const acts = [
  [40, 'unmanaged'],
  [30, 'managed'],
  [8, 'abandon'],
  [8, 'dropApp'],
  [6, 'restartApp'],
  [8, 'dropPhone'],
];

export class HammerUser extends Member {
  #managed = null; /* the managed stream that its app watches */
  #urls = 0;

  over = false;
  deaf = false; /* its app reads nothing: it asks for nothing either */
  away = false; /* its phone has no network */
  outcomes = { accepted: 0, refused: 0, closed: 0, silent: 0 };

  /** @index tells the choices of one user from those of the others. */
  begin(index) {
    this.random = randomFrom(seed + 1000 + index);
    this.done = this.#live();
  }

  async #live() {
    while (!this.over) {
      await this.#rest(this.crowd.pace.pauseMs);
      if (this.over || this.away) continue;
      if (this.ready && !this.deaf) await this.#act();
      else await this.#comeBack();
    }
    await this.#leaveAll();
  }

  /* Cut short at the end of the run. */
  async #rest(range) {
    const until = now() + between(this.random, range) / this.crowd.scale;

    while (now() < until && !this.over) await elapse(Math.min(lookMs, until - now()));
  }

  async #act() {
    let left = this.random() * 100;
    const [, name] = acts.find(([part]) => (left -= part) < 0);

    await this[name]();
  }

  /* An app that the cloud has given up is started again by its user. */
  async #comeBack() {
    const deadline = now() + comeBackMs;

    while (!this.over && !this.ready && now() < deadline) await elapse(lookMs);
    if (this.glasses.ready && !this.app.ready) this.startApp();
  }

  async #request(ask) {
    const outcome = await ask();

    this.outcomes[outcome.kind]++;
    return outcome.kind === 'accepted' ? outcome.streamId : null;
  }

  #url() {
    return canaries.rtmpUrl(`${this.email.split('@')[0]}-${this.#urls++}`);
  }

  async unmanaged() {
    const first = await this.#request(() => this.request(this.#url(), requestMs));

    if (!first) return;
    await this.#rest(this.crowd.pace.runMs);
    await this.#quiet();
    this.stop(first);
    await this.#until(() => this.stream(first).terminals > 0);
  }

  /* The next request takes it over, or the glasses are lost under it. */
  async abandon() {
    await this.#request(() => this.request(this.#url(), requestMs));
  }

  async managed() {
    const destinations = [{ url: canaries.destination(this.email), name: 'elsewhere' }];
    const outputs = this.random() < outputsPart ? { restreamDestinations: destinations } : {};
    const id = await this.#request(() =>
      this.ask({ type: 'managed_stream_request', ...outputs }, managedRequestMs),
    );

    if (!id) return;
    await this.#rest(this.crowd.pace.runMs);
    await this.#quiet();
    this.send({ type: 'managed_stream_stop' });
    await this.#until(() => this.#managed === null);
  }

  /* What is sent while the app is deaf is asked by nobody. */
  async #quiet() {
    while (this.deaf) await elapse(lookMs);
  }

  async #until(predicate) {
    const deadline = now() + endMs;

    while (!predicate() && this.app.ready && now() < deadline) await elapse(lookMs);
  }

  onAppMessage({ type, status, streamId }) {
    if (type !== 'managed_stream_status') return;
    const ended = terminal(status) || status === 'error';

    this.#managed = ended ? null : streamId;
    if (status === 'active') this.settle({ kind: 'accepted', streamId });
    else if (ended) this.settle({ kind: 'refused', message: status });
  }

  dropApp() {
    this.app.ws.terminate();
  }

  restartApp() {
    this.say({ type: 'stop_app', packageName: this.crowd.packageName });
    return this.#until(() => !this.app.ready);
  }

  dropPhone() {
    this.glasses.ws.terminate();
  }

  /* ---- what happens to it ---- */

  /** The phone's link is half open for @ms, then it notices and comes back; sooner if the run ends. */
  async vanish(ms) {
    if (this.away) return;
    const link = this.crowd.relay.linkOf(this.glasses.ws);

    this.away = true;
    this.glasses.ready = false;
    link?.stall();
    for (const until = now() + ms; now() < until && !this.crowd.ending; ) await elapse(lookMs);
    link?.cut();
    this.away = false;
  }

  /** The app reads nothing for @ms; returns false if it waits for an answer and therefore reads. */
  goDeaf(ms) {
    const socket = this.app.ws?._socket;

    if (!socket || this.asking || this.deaf || !this.ready) return false;
    this.deaf = true;
    socket.pause();
    setTimeout(() => {
      socket.resume();
      this.deaf = false;
    }, ms);
    return true;
  }

  /* Ends what it may still have; who has lost its app gets it back for that. */
  async #leaveAll() {
    for (let tries = 0; !this.ready && tries < 4; tries++) {
      this.startApp();
      await this.#waitReady();
    }
    this.send({ type: 'managed_stream_stop' });
    for (const stream of this.streams.values())
      if (stream.words.initializing && stream.terminals === 0) this.stop(stream.id);
  }

  async #waitReady() {
    const deadline = now() + comeBackMs;

    while (!this.ready && now() < deadline) await elapse(lookMs);
  }
}
