/** The colours of page.css: numbered ones, which begin again after the last, and named ones. */
import { make } from "./elements.js";

const COLOURS = 8;

/** What a canvas is given, which knows no variables. */
export function colour(index: number): string {
  return themed(`c${index % COLOURS}`);
}

export function themed(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Lets the style of an element use a colour, of whichever scheme the page is in. */
export function paint(element: HTMLElement, index: number): void {
  element.style.setProperty("--colour", `var(--c${index % COLOURS})`);
}

export function swatch(index: number): HTMLElement {
  const made = make("span", { class: "swatch", "aria-hidden": "true" });
  paint(made, index);
  return made;
}
