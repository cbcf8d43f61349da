// The JSON of the API, by the names of the Rust types in client/src/wire. Times are milliseconds since 1970.
// Fields that the server may leave out are optional here. To be generated from the OpenAPI document.

export type Json = unknown;
export type Args = Record<string, unknown>;

export interface ToolInfo {
  name: string;
  family: string;
  description: string;
  tier: string;
  effects: string[];
  revision: number;
  input: Json;
  output: Json;
  examples: string[];
  untrusted: boolean;
  deadline_ms: number;
}
export interface ToolList { tools: ToolInfo[] }
export interface CallBody { tool: string; args?: Args | null; key?: string | null }
export interface PlanBody { steps: CallBody[] }
export interface TargetInfo { kind: string; id: string; name: string }

export interface CallAnswer {
  call?: string | null;
  tool: string;
  tier: string;
  /** `done`, `failed`, `unknown`, `cancelled` or `waiting`; within a turn also `running` or `refused`. */
  state: string;
  target?: TargetInfo | null;
  output?: Json;
  words: string;
  error?: string | null;
  untrusted?: boolean;
  undoable?: boolean;
  millis?: number;
  approval?: string | null;
  expires_at?: number | null;
  rule?: string;
}

export interface Preview {
  tool: string;
  args: Args;
  target: TargetInfo;
  tier: string;
  /** `run`, `ask` or `refuse`. */
  verdict: string;
  rule: string;
  sentence: string;
  effects: string[];
  diff?: string | null;
  undo?: string | null;
  untrusted?: string | null;
  digest: string;
}

export interface ApprovalInfo {
  id: string;
  /** `pending`, `approved`, `running`, `done`, `failed`, `unknown`, `denied`, `expired` or `stale`. */
  state: string;
  tier: string;
  rule: string;
  actor: string;
  actor_name: string;
  face: string;
  words?: string | null;
  conversation?: string | null;
  digest: string;
  steps: StepInfo[];
  created_at: number;
  expires_at: number;
  decided_at?: number | null;
  decided_by?: string | null;
  because?: string | null;
}
export interface StepInfo {
  /** `waiting`, `running`, `done`, `failed`, `unknown`, `cancelled` or `skipped`. */
  state: string;
  preview: Preview;
  answer?: CallAnswer | null;
}
export interface ApprovalList { approvals: ApprovalInfo[] }
export interface DenyBody { because?: string }

export interface SayBody { text: string; conversation?: string | null; parent?: string | null; plan?: boolean }
export interface PlannedCall { tool: string; args: Args; tier: string }
export interface SayPlan { calls: PlannedCall[]; question: string | null }
export type SayAnswer = TurnInfo | SayPlan;
export interface ConversationInfo { id: string; title: string; created_at: number; updated_at: number; turns: number }
export interface ConversationList { conversations: ConversationInfo[] }
export interface ConversationView { conversation: ConversationInfo; turns: TurnInfo[] }
export interface RenameBody { title: string }

export interface TurnInfo {
  id: string;
  conversation: string;
  parent?: string | null;
  asked: string;
  /** `running`, `waiting`, `done`, `stopped` or `failed`. */
  state: string;
  entries: TurnEntry[];
  footer?: TurnFooter | null;
  created_at: number;
}
export type TurnEntry =
  | { kind: 'said'; text: string; cut?: boolean }
  | { kind: 'question'; text: string; choices?: string[] }
  | { kind: 'call'; args: Args; answer: CallAnswer }
  | { kind: 'note'; text: string };
export interface TurnFooter {
  /** `rule` or `model`. */
  route: string;
  why: string;
  model?: string | null;
  tokens_in?: number | null;
  tokens_out?: number | null;
  millis: number;
}

export interface EventInfo {
  seq: number;
  at: number;
  kind: string;
  actor: string;
  subject: string;
  correlation: string;
  summary: string;
  tool?: string | null;
  tier?: string | null;
  hash: string;
  body?: Json;
}
export interface EventPage { events: EventInfo[]; next?: number | null }
export interface FrameInfo { subject: string; kind: string; offset?: number; data: Json }
export interface Gauges {
  cpu_percent: number;
  cores: number;
  load: [number, number, number];
  memory_used: number;
  memory_cache: number;
  memory_total: number;
  disks: DiskGauge[];
  celsius?: number | null;
  network: [number, number];
  uptime: number;
}
export interface DiskGauge { mount: string; used: number; total: number }
export interface AuditReport {
  ok: boolean;
  rows: number;
  bodies: number;
  erased: number;
  head: number;
  hash: string;
  sealed: number;
  faults: string[];
  at: number;
}

export interface SessionInfo {
  signed_in: boolean;
  setup_needed: boolean;
  name?: string | null;
  ceiling?: string | null;
  may_approve: boolean;
  operator: boolean;
  host: string;
  version: string;
  secret?: string | null;
}
export interface SetupBody { code: string; password: string }
export interface SignInBody { password: string; bearer?: boolean }
export interface TokenBody { name: string; ceiling: string; confirm?: string | null; scopes?: string[] }
export interface TokenInfo {
  id: string;
  name: string;
  ceiling: string;
  confirm: string;
  scopes: string[];
  created_at: number;
  used_at?: number | null;
  revoked_at?: number | null;
  secret?: string | null;
}
export interface TokenList { tokens: TokenInfo[] }

export interface Problem { code: string; status: number; detail: string; rule?: string | null; correlation: string }

export interface SettingsInfo {
  autonomy: AutonomyInfo;
  model?: ModelInfo | null;
  roots?: RootInfo[];
  hosts?: string[];
  approval_minutes: number;
  mcp_hold_seconds: number;
  audit_reads: string;
}
export interface AutonomyInfo { default: number; rules?: AutonomyRuleInfo[] }
export interface AutonomyRuleInfo { capability?: string | null; target?: string | null; level: number }
export interface ModelInfo { url: string; name?: string; key?: string | null; context: number; cloud_accepted?: boolean }
export interface RootInfo { path: string; write?: boolean }

export interface StatusInfo {
  host: string;
  version: string;
  /** `off`, `effects` or `all`. */
  kill: string;
  level: number;
  waiting: number;
  waiting_tier?: string | null;
  head: number;
  audit?: AuditReport | null;
  model?: string | null;
  warnings: string[];
}
export interface Finding { what: string; state: string; found: string; fix?: string }
export interface DoctorReport { findings: Finding[] }
export interface KillBody { level?: string | null }
