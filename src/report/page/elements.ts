/** Finds, makes and fills elements. Everything of a log is set as text, never as markup. */

export type Content = Node | string;

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as querySelector's: the caller knows its page
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (!found) {
    throw new Error(`The page has no #${id}.`);
  }
  return found as E;
}

export function make(
  name: string,
  attributes: Readonly<Record<string, string>>,
  ...content: readonly Content[]
): HTMLElement {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    made.setAttribute(attribute, value);
  }
  made.append(...content);
  return made;
}

export interface Column {
  readonly head: string;
  readonly kind?: "number" | "wide" | "widest";
}

/** A table whose first column heads its rows. */
export function table(caption: string, columns: readonly Column[], rows: readonly (readonly Content[])[]): HTMLElement {
  const kind = (column: number): Record<string, string> => {
    const name = columns[column]?.kind;
    return name === undefined ? {} : { class: name };
  };
  return make(
    "table",
    { "aria-label": caption },
    make(
      "thead",
      {},
      make("tr", {}, ...columns.map(({ head }, at) => make("th", { scope: "col", ...kind(at) }, head))),
    ),
    make(
      "tbody",
      {},
      ...rows.map((cells) =>
        make(
          "tr",
          {},
          ...cells.map((cell, at) =>
            at === 0 ? make("th", { scope: "row", ...kind(at) }, cell) : make("td", kind(at), cell),
          ),
        ),
      ),
    ),
  );
}

/** Puts content in an element's place for it, unless it stands there already: what is selected in it stays so. */
export function fill(id: string, ...content: readonly Content[]): void {
  const made = make("div", {}, ...content);
  const host = byId(id);
  const same = host.childNodes.length === made.childNodes.length;
  if (!same || [...host.childNodes].some((child, at) => !child.isEqualNode(made.childNodes[at] ?? null))) {
    host.replaceChildren(...made.childNodes);
  }
}

/** Gives a list new choices; what was chosen stays so, and a list that is open stays as it is. */
export function choices(id: string, ...entries: readonly HTMLElement[]): void {
  const select = byId<HTMLSelectElement>(id);
  const { value } = select;
  if (select.options.length === 0 || document.activeElement !== select) {
    fill(id, ...entries);
    select.value = value;
    select.selectedIndex = Math.max(0, select.selectedIndex);
  }
}

export function option(value: string, label: string): HTMLElement {
  return make("option", { value }, label);
}
