// A tool's JSON Schema as the fields of a form. Only what our own schemas use is understood by name; anything else
// becomes a field that takes JSON, so that no tool is out of reach.

export type FieldKind = 'text' | 'long' | 'integer' | 'number' | 'boolean' | 'choice' | 'list' | 'json';

export interface Choice { value: string; word: string }

export interface FieldSpec {
  name: string;
  kind: FieldKind;
  required: boolean;
  description: string;
  /** Whether the schema gives a default that is not null. */
  preset?: unknown;
  least?: number;
  most?: number;
  shortest?: number;
  longest?: number;
  choices: Choice[];
  /** What kind of thing it names: `container`, `service`, `image`, `path` … */
  entity?: string;
}

type Schema = Record<string, unknown>;

/** Fields whose text has lines. */
const long = /^(content|text_block|body|script|message|prompt)$/;

export function fieldsOf(input: unknown): FieldSpec[] {
  const root = asSchema(input);
  const required = new Set(Array.isArray(root['required']) ? (root['required'] as string[]) : []);
  const fields = Object.entries(asSchema(root['properties'])).map(([name, raw]) => fieldOf(name, asSchema(raw), root, required.has(name)));
  return fields.sort((a, b) => rank(a) - rank(b));
}

/** What it acts on stands first, then what is needed, and within that a long text last. */
const rank = (field: FieldSpec) => (field.required ? 0 : 4) + (field.kind === 'long' ? 2 : field.entity ? 0 : 1);

function fieldOf(name: string, raw: Schema, root: Schema, required: boolean): FieldSpec {
  const schema = resolved(raw, root);
  const choices = choicesOf(schema);
  return {
    name,
    kind: kindOf(name, schema, choices),
    required,
    description: words(raw['description'] ?? schema['description']),
    preset: raw['default'] ?? schema['default'] ?? undefined,
    least: numeric(schema['minimum']),
    most: numeric(schema['maximum']),
    shortest: numeric(schema['minLength']),
    longest: numeric(schema['maxLength']),
    choices,
    entity: typeof raw['x-entity'] === 'string' ? raw['x-entity'] : undefined,
  };
}

/** Follows references within the document and takes the part of `anyOf` that is not null. */
function resolved(schema: Schema, root: Schema, depth = 0): Schema {
  if (depth > 8) return {};
  const reference = schema['$ref'];
  if (typeof reference === 'string' && reference.startsWith('#/')) {
    const target = reference.slice(2).split('/').reduce<unknown>((at, part) => asSchema(at)[part], root);
    return { ...resolved(asSchema(target), root, depth + 1), ...without(schema, '$ref') };
  }
  const ways = Array.isArray(schema['anyOf']) ? (schema['anyOf'] as unknown[]).map(asSchema).filter((one) => one['type'] !== 'null') : [];
  if (ways.length === 1) return { ...resolved(ways[0]!, root, depth + 1), ...without(schema, 'anyOf') };
  return schema;
}

function choicesOf(schema: Schema): Choice[] {
  if (Array.isArray(schema['enum'])) return texts(schema['enum']).map((value) => ({ value, word: '' }));
  if (!Array.isArray(schema['oneOf'])) return [];
  const ways = schema['oneOf'].map(asSchema);
  if (!ways.every((way) => typeof way['const'] === 'string')) return [];
  return ways.map((way) => ({ value: way['const'] as string, word: words(way['description']) }));
}

function kindOf(name: string, schema: Schema, choices: Choice[]): FieldKind {
  if (choices.length > 0) return 'choice';
  const types = (Array.isArray(schema['type']) ? schema['type'] : [schema['type']]).filter((type) => type !== 'null');
  if (types.length !== 1) return 'json';
  if (types[0] === 'string') return long.test(name) && numeric(schema['maxLength']) === undefined ? 'long' : 'text';
  if (types[0] === 'array') return asSchema(schema['items'])['type'] === 'string' ? 'list' : 'json';
  return types[0] === 'integer' || types[0] === 'number' || types[0] === 'boolean' ? types[0] : 'json';
}

const asSchema = (value: unknown): Schema => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Schema) : {});
const numeric = (value: unknown) => (typeof value === 'number' ? value : undefined);
const words = (value: unknown) => (typeof value === 'string' ? value : '');
const texts = (values: unknown[]) => values.filter((value): value is string => typeof value === 'string');
const without = (schema: Schema, key: string) => Object.fromEntries(Object.entries(schema).filter(([name]) => name !== key));
