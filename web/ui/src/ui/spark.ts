// Paths of a small chart. The newest value stands at the right edge; missing history is left empty, not stretched.

function points(values: number[], slots: number, width: number, base: number, scale: number): string[] {
  const step = width / (slots - 1);
  const first = slots - values.length;
  return values.map((value, at) => `${((first + at) * step).toFixed(1)} ${(base + value * scale).toFixed(1)}`);
}

export function line(values: number[], slots: number, width: number, base: number, scale: number): string {
  return 'M' + points(values, slots, width, base, scale).join('L');
}

export function area(values: number[], slots: number, width: number, base: number, scale: number): string {
  const all = points(values, slots, width, base, scale);
  const start = all[0]!.split(' ')[0]!;
  return `M${start} ${base}L${all.join('L')}L${width} ${base}Z`;
}
