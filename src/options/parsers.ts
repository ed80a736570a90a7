/** What the text of an option's value says. Each throws InvalidRequestError for text that says something else. */
import { InvalidRequestError } from "../errors.js";

export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) {
    throw new InvalidRequestError("Expected a whole number.");
  }
  return Number(text);
}

/** With commas between. */
export function wholeNumbers(text: string): number[] {
  return text.split(",").map((part) => wholeNumber(part.trim()));
}

export function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) {
    throw new InvalidRequestError("Expected a number.");
  }
  return value;
}
