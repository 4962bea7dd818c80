// Small helpers for elements.

type Attributes = Record<string, string>;

/** An element with attributes and content. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...content: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  made.append(...content);
  return made;
}

/** A button of one drawn sign, with a name for those who do not see it. */
export function button(label: string, path: string): HTMLButtonElement {
  const made = element("button", { type: "button", "aria-label": label, title: label });
  draw(made, path);
  return made;
}

/** Puts a sign, an SVG path of 24 x 24, on a button. */
export function draw(target: HTMLElement, path: string): void {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(space, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  target.replaceChildren(svg);
}

/** A menu of choices with a name. */
export function menu(label: string): { box: HTMLLabelElement; select: HTMLSelectElement } {
  const select = element("select", { "aria-label": label });
  const box = element(
    "label",
    { class: "menu" },
    element("span", { "aria-hidden": "true" }, label),
    select,
  );
  return { box, select };
}

/** Fills a menu; keeps what is chosen where it is still there. */
export function fill(select: HTMLSelectElement, options: [string, string][], chosen: string): void {
  select.replaceChildren(
    ...options.map(([value, text]) => {
      const option = element("option", { value }, text);
      option.selected = value === chosen;
      return option;
    }),
  );
}

/** Seconds as people write them. */
export function clockText(seconds: number): string {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const [hours, minutes, rest] = [
    Math.floor(whole / 3600),
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  const two = (value: number) => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
