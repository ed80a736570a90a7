/** What searches programs: TVM's auto-scheduler up to TVM 0.19, MetaSchedule from 0.26 on. A Python with TVM has one. */
export const TUNERS = ["ansor", "metaschedule"] as const;
export type TunerName = (typeof TUNERS)[number];

/** The tuners as people call them. */
export const TUNER_WORDS = { ansor: "Ansor", metaschedule: "MetaSchedule" } as const satisfies Record<
  TunerName,
  string
>;

/** A tuner that can be asked for by its name; undefined for another, such as a tuner of the user's own. */
export function tunerNamed(name: string): TunerName | undefined {
  return TUNERS.find((tuner) => tuner === name);
}

/** A tuner as people call it; one of the user's own by its own name. */
export function tunerWords(name: string): string {
  const tuner = tunerNamed(name);
  return tuner ? TUNER_WORDS[tuner] : name;
}
