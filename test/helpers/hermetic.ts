// Loaded before any test (.mocharc.json): none depends on what was tuned on this machine before, nor leaves anything for later.
process.env["FAMILYSEER_LIBRARY"] = "none";
