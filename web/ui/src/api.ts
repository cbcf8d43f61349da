// Every request the dashboard makes, typed. A request that was not carried out throws a ProblemError; nothing else.

import type {
  ApprovalInfo, ApprovalList, Args, AuditReport, CallAnswer, CallBody, CancelInfo, ConversationInfo, ConversationList,
  ConversationView, DoctorReport, DoubtList, EventInfo, EventPage, FactorBody, FactorCodes, FactorInfo, FactorOffBody,
  FactorProposal, GrantBody, GrantInfo, GrantList, GrantTrial, ImportBody, ImportReport, JobBody, JobInfo, JobPage,
  MountBody, MountInfo, MountList, OutputPage, PlanBody, PlanRan, Preview, Problem, ReviewBody, SayBody, ScheduleBody,
  ScheduleInfo, ScheduleList, SecretBody, SecretInfo, SecretList, SessionInfo, SessionList, SettingsInfo, StatusInfo,
  TokenBody, TokenInfo, TokenList, ToolList, TurnInfo, UndoPreview,
} from './wire';

export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

/** Whatever was thrown, as a problem that can be shown. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof ProblemError) return thrown.problem;
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: 'client', status: 0, detail, correlation: '' };
}

const unreachable = (detail: string) => new ProblemError({ code: 'unreachable', status: 0, detail, correlation: '' });

/** How long a network that has just changed gets until a reading is tried once more. */
const AGAIN = 250;

const signedOutListeners = new Set<() => void>();

/** Called when the server says that the session is over. */
export function onSignedOut(listener: () => void): void {
  signedOutListeners.add(listener);
}

interface Options { body?: unknown; prefer?: string; signal?: AbortSignal; keyed?: boolean }

/** A page over plain HTTP on the network has no `randomUUID`. */
const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

async function request<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (options.body !== undefined) headers['content-type'] = 'application/json';
  if (options.prefer) headers['prefer'] = options.prefer;
  if (options.keyed) headers['idempotency-key'] = newKey();
  const body = options.body === undefined ? null : JSON.stringify(options.body);
  const [response, text] = await carried(method, '/api' + path, { method, headers, body, credentials: 'same-origin', signal: options.signal ?? null });
  if (!response.ok) throw new ProblemError(readProblem(response, text, path));
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** An answer with its text. A request whose connection broke is tried once more if it only reads, or has a key by which
    the server knows it again; any other may have changed something and is not. */
async function carried(method: string, path: string, init: RequestInit & { headers: Record<string, string> }): Promise<[Response, string]> {
  const once = async (): Promise<[Response, string]> => {
    const response = await fetch(path, init);
    return [response, await response.text()];
  };
  try {
    return await once();
  } catch (thrown) {
    if (isAbort(thrown)) throw thrown;
    if (method !== 'GET' && !init.headers['idempotency-key']) throw unreachable('Jarvis does not answer. Whether this reached him is not known, and it was not sent twice: when the status line says live, the activity tells.');
  }
  await new Promise((done) => setTimeout(done, AGAIN));
  try {
    return await once();
  } catch (thrown) {
    if (isAbort(thrown)) throw thrown;
    throw unreachable(method === 'GET'
      ? 'Jarvis does not answer. Nothing was changed by this; try again when the status line says live.'
      : 'Jarvis does not answer. Whether this reached him is not known: when the status line says live, the activity tells.');
  }
}

const isAbort = (thrown: unknown) => thrown instanceof DOMException && thrown.name === 'AbortError';

function readProblem(response: Response, text: string, path: string): Problem {
  if (response.status === 401 && path !== '/session' && path !== '/setup') {
    for (const listener of signedOutListeners) listener();
  }
  try {
    const problem = JSON.parse(text) as Problem;
    if (typeof problem.detail === 'string') return problem;
  } catch { /* a proxy answered with its own page */ }
  return { code: 'http', status: response.status, detail: `The server answered ${response.status} ${response.statusText}.`, correlation: '' };
}

function query(values: Record<string, string | number | undefined | null>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && value !== '') params.set(name, String(value));
  }
  const text = params.toString();
  return text && '?' + text;
}

const at = (path: string, id: string | number, rest = '') => `${path}/${encodeURIComponent(id)}${rest}`;

export interface JobQuery { state?: string; schedule?: string; before?: string | null; limit?: number }
export interface HistoryQuery { before?: number | null; limit?: number; kind?: string; actor?: string; subject?: string }

export const api = {
  session: () => request<SessionInfo>('GET', '/session'),
  setup: (code: string, password: string) => request<SessionInfo>('POST', '/setup', { body: { code, password } }),
  signIn: (password: string, code?: string) => request<SessionInfo>('POST', '/session', { body: { password, ...(code && { code }) } }),
  signOut: () => request<void>('DELETE', '/session'),

  status: () => request<StatusInfo>('GET', '/status'),
  tools: () => request<ToolList>('GET', '/tools'),
  /** Waits up to `wait` seconds for an approval or a long run; the answer may say `waiting`. */
  call: (body: CallBody, wait = 0) =>
    request<CallAnswer>('POST', '/call', { body, keyed: true, ...(wait > 0 && { prefer: `wait=${wait}` }) }),
  read: (tool: string, args: Args = {}) => request<CallAnswer>('POST', '/call', { body: { tool, args } }),
  preview: (body: CallBody, signal?: AbortSignal) =>
    request<Preview>('POST', '/preview', signal ? { body, signal } : { body }),
  plan: (body: PlanBody) => request<ApprovalInfo>('POST', '/plan', { body }),
  /** A call above green as it stands now: `undoable` ends when it was taken back. */
  callNow: (call: string) => request<CallAnswer>('GET', at('/calls', call)),
  /** What would take it back, in order. */
  showUndo: (of: 'calls' | 'turns', id: string) => request<UndoPreview>('GET', at(`/${of}`, id, '/undo')),
  undo: (call: string) => request<CallAnswer>('POST', at('/calls', call, '/undo')),
  undoTurn: (turn: string) => request<PlanRan | ApprovalInfo>('POST', at('/turns', turn, '/undo')),
  cancel: (call: string) => request<void>('POST', at('/calls', call, '/cancel')),

  jobs: (filter: JobQuery = {}) => request<JobPage>('GET', '/jobs' + query({ ...filter })),
  job: (id: string) => request<JobInfo>('GET', at('/jobs', id)),
  submitJob: (body: JobBody) => request<JobInfo>('POST', '/jobs', { body, keyed: true }),
  cancelJob: (id: string) => request<CancelInfo>('POST', at('/jobs', id, '/cancel')),
  /** Pieces of output after this number, at most `limit` of them. */
  jobOutput: (id: string, after: number, limit: number) =>
    request<OutputPage>('GET', at('/jobs', id, '/output') + query({ after, limit })),
  schedules: () => request<ScheduleList>('GET', '/schedules'),
  newSchedule: (body: ScheduleBody) => request<ScheduleInfo>('POST', '/schedules', { body }),
  changeSchedule: (id: string, body: ScheduleBody) => request<ScheduleInfo>('PUT', at('/schedules', id), { body }),
  removeSchedule: (id: string) => request<void>('DELETE', at('/schedules', id)),

  approvals: (state: 'pending' | 'all', limit = 50) =>
    request<ApprovalList>('GET', '/approvals' + query({ state, limit })),
  approval: (id: string) => request<ApprovalInfo>('GET', at('/approvals', id)),
  approve: (id: string, without: number[] = []) => request<ApprovalInfo>('POST', at('/approvals', id, '/approve'), { body: { without } }),
  deny: (id: string, because: string) => request<ApprovalInfo>('POST', at('/approvals', id, '/deny'), { body: { because } }),

  say: (body: SayBody) => request<TurnInfo>('POST', '/say', { body, keyed: true }),
  turn: (id: string) => request<TurnInfo>('GET', at('/turns', id)),
  stop: (turn: string) => request<void>('POST', at('/turns', turn, '/stop')),
  retry: (turn: string) => request<TurnInfo>('POST', at('/turns', turn, '/retry'), { keyed: true }),
  conversations: (search = '') => request<ConversationList>('GET', '/conversations' + query({ search })),
  conversation: (id: string) => request<ConversationView>('GET', at('/conversations', id)),
  rename: (id: string, title: string) => request<ConversationInfo | undefined>('PATCH', at('/conversations', id), { body: { title } }),
  forget: (id: string) => request<void>('DELETE', at('/conversations', id)),

  history: (filter: HistoryQuery = {}) => request<EventPage>('GET', '/history' + query({ ...filter })),
  event: (seq: number) => request<EventInfo>('GET', at('/events', seq)),
  audit: () => request<AuditReport | undefined>('GET', '/audit'),
  verify: () => request<AuditReport>('POST', '/audit/verify'),

  settings: () => request<SettingsInfo>('GET', '/settings'),
  saveSettings: (body: SettingsInfo) => request<SettingsInfo>('PUT', '/settings', { body }),
  doubts: () => request<DoubtList>('GET', '/doubts'),
  acknowledge: (id: string) => request<void>('POST', `/doubts/${encodeURIComponent(id)}/acknowledge`),
  stopAll: (level = 'effects') => request<void>('POST', '/kill', { body: { level } }),
  resume: () => request<void>('DELETE', '/kill'),
  sessions: () => request<SessionList>('GET', '/sessions'),
  endSession: (id: string) => request<void>('DELETE', at('/sessions', id)),
  endOtherSessions: () => request<void>('DELETE', '/sessions'),
  factor: () => request<FactorInfo>('GET', '/second-factor'),
  proposeFactor: () => request<FactorProposal>('POST', '/second-factor/proposal'),
  factorOn: (body: FactorBody) => request<FactorCodes>('PUT', '/second-factor', { body }),
  factorOff: (body: FactorOffBody) => request<void>('POST', '/second-factor/off', { body }),
  tokens: () => request<TokenList>('GET', '/tokens'),
  newToken: (body: TokenBody) => request<TokenInfo>('POST', '/tokens', { body }),
  revokeToken: (id: string) => request<void>('DELETE', at('/tokens', id)),

  secrets: () => request<SecretList>('GET', '/secrets'),
  keepSecret: (name: string, body: SecretBody) => request<SecretInfo>('PUT', at('/secrets', name), { body }),
  importSecrets: (body: ImportBody) => request<ImportReport>('POST', '/secrets/import', { body }),
  removeSecret: (name: string) => request<void>('DELETE', at('/secrets', name)),

  mounts: () => request<MountList>('GET', '/mounts'),
  keepMount: (name: string, body: MountBody) => request<MountBody>('PUT', at('/mounts', name), { body }),
  removeMount: (name: string) => request<void>('DELETE', at('/mounts', name)),
  /** Reaches a server now that is down and would be tried later. */
  retryMount: (name: string) => request<MountInfo>('POST', at('/mounts', name, '/retry')),
  reviewTools: (name: string, body: ReviewBody) => request<MountInfo>('POST', at('/mounts', name, '/reviews'), { body }),

  grants: () => request<GrantList>('GET', '/grants'),
  giveGrant: (body: GrantBody) => request<GrantInfo>('POST', '/grants', { body }),
  /** Which of the newest questions such a grant would have answered. Gives nothing. */
  tryGrant: (body: GrantBody, signal?: AbortSignal) =>
    request<GrantTrial>('POST', '/grants/trial', signal ? { body, signal } : { body }),
  revokeGrant: (id: string) => request<void>('DELETE', at('/grants', id)),
  /** The grant that would spare exactly the question of this card. */
  proposedGrant: (approval: string) => request<GrantBody>('GET', at('/approvals', approval, '/grant')),

  doctor: () => request<DoctorReport>('GET', '/doctor'),
};
