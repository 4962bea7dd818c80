// Which key does what.

export interface Keys {
  toggle(): void;
  seek(seconds: number): void;
  volume(by: number): void;
  mute(): void;
  full(): void;
  compare(): void;
  statistics(): void;
  nudge(by: number): void;
  captions(): void;
}

/** What a key press means, null for nothing: keys of controls that have the focus stay theirs. */
export function bound(event: KeyboardEvent, keys: Keys): (() => void) | null {
  if (event.ctrlKey || event.altKey || event.metaKey) {
    return null;
  }
  const focus =
    event.target instanceof Element ? event.target.closest("button,select,input,a") : null;
  const moves = focus?.matches("select,input") ?? false;
  switch (event.key) {
    case " ":
    case "Enter":
      return focus === null && event.key === " " ? keys.toggle : null;
    case "ArrowLeft":
    case "ArrowRight": {
      const sign = event.key === "ArrowLeft" ? -1 : 1;
      return moves ? null : () => keys.seek(5 * sign);
    }
    case "ArrowUp":
    case "ArrowDown": {
      const sign = event.key === "ArrowUp" ? 1 : -1;
      return moves ? null : () => keys.volume(0.05 * sign);
    }
  }
  if (focus?.matches("select")) {
    return null; // letters choose there
  }
  switch (event.key.toLowerCase()) {
    case "k":
      return keys.toggle;
    case "j":
      return () => keys.seek(-10);
    case "l":
      return () => keys.seek(10);
    case "m":
      return keys.mute;
    case "f":
      return keys.full;
    case "x":
      return keys.compare;
    case "i":
      return keys.statistics;
    case "c":
      return keys.captions;
    case "[":
      return () => keys.nudge(-0.02);
    case "]":
      return () => keys.nudge(0.02);
  }
  return null;
}
