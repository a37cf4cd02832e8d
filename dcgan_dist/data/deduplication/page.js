"use strict";
(() => {
  const section = document.getElementById("random");
  const pairs = [...section.querySelectorAll(".pair")];
  if (!pairs.length) return;
  const { identity, format, quantile, confidence } = section.dataset;
  const output = section.querySelector("output");
  const [rest, save, clear] = ["rest", "save", "clear"].map((id) => document.getElementById(id));
  const kept = `${format} ${identity}`;
  // Of each pair that was judged: its place, and whether it is the same picture.
  const marks = new Map();

  // The same as false_positives.false_positive_rate.
  const falsePositiveRate = (marked, seen, z) => {
    if (!seen) return { rate: null, low: 0, high: 1 };
    const rate = marked / seen;
    const middle = (rate + (z * z) / (2 * seen)) / (1 + (z * z) / seen);
    const half = (z / (1 + (z * z) / seen)) * Math.sqrt((rate * (1 - rate)) / seen + (z * z) / (4 * seen * seen));
    return { rate, low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
  };

  const percent = (share) => `${(100 * share).toFixed(1)}%`;

  const show = () => {
    pairs.forEach((pair, place) => {
      const same = marks.get(place);
      pair.classList.toggle("same", same === true);
      pair.classList.toggle("different", same === false);
      for (const button of pair.querySelectorAll("button"))
        button.setAttribute("aria-pressed", String(same !== undefined && button.dataset.same === String(same)));
    });
    const seen = marks.size;
    const marked = [...marks.values()].filter((same) => !same).length;
    const left = pairs.length - seen;
    // Who marks only what is wrong would see a rate of 100%: all pairs up to the last mark have to be judged.
    const skipped = seen ? Math.max(...marks.keys()) + 1 - seen : 0;
    const { rate, low, high } = falsePositiveRate(skipped ? 0 : marked, skipped ? 0 : seen, Number(quantile));
    Object.assign(output.dataset, { seen, marked, skipped, rate, low, high });
    output.textContent =
      `${seen} of ${pairs.length} pairs judged, ${left} to go; ${marked} not the same. False positives: ` +
      (skipped
        ? `unknown, as ${skipped} before the last mark ${skipped === 1 ? "is" : "are"} not judged.`
        : seen
          ? `${percent(rate)}, interval ${percent(low)} to ${percent(high)}.`
          : "unknown.");
    rest.textContent = left ? `The other ${left} are the same` : "All are judged";
    rest.disabled = !left;
    save.disabled = !seen || skipped > 0;
    clear.disabled = !seen;
  };

  // A browser may refuse its storage to a file; then marks live as long as the page.
  const remember = () => {
    try {
      localStorage.setItem(kept, JSON.stringify([...marks]));
    } catch {}
  };
  try {
    for (const [place, same] of JSON.parse(localStorage.getItem(kept)) ?? [])
      if (Number.isInteger(place) && pairs[place] && typeof same === "boolean") marks.set(place, same);
  } catch {}

  const judge = (place, same) => {
    if (same === undefined) marks.delete(place);
    else marks.set(place, same);
    remember();
    show();
  };

  section.addEventListener("click", ({ target }) => {
    const place = pairs.indexOf(target.closest(".pair"));
    if (place < 0 || !target.dataset.same) return;
    const same = target.dataset.same === "true";
    judge(place, marks.get(place) === same ? undefined : same);
  });

  section.addEventListener("keydown", (event) => {
    const place = pairs.indexOf(event.target.closest(".pair"));
    if (place < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const go = (other) => pairs[other]?.querySelector("button").focus();
    const act = {
      s: () => (judge(place, true), go(place + 1)),
      n: () => (judge(place, false), go(place + 1)),
      backspace: () => judge(place, undefined),
      arrowleft: () => go(place - 1),
      arrowright: () => go(place + 1),
    }[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });

  rest.addEventListener("click", () => {
    pairs.forEach((_, place) => marks.has(place) || marks.set(place, true));
    remember();
    show();
  });

  clear.addEventListener("click", () => {
    if (!confirm("Take away all marks?")) return;
    marks.clear();
    remember();
    show();
  });

  save.addEventListener("click", () => {
    const file = {
      format,
      page: identity,
      pairs: pairs.length,
      confidence: Number(confidence),
      marks: [...marks]
        .sort(([one], [other]) => one - other)
        .map(([place, same]) => ({ pair: place + 1, same, ...pairs[place].dataset })),
    };
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(file, null, 1)], { type: "application/json" }));
    link.download = "marks.json";
    link.click();
    URL.revokeObjectURL(link.href);
  });

  document.documentElement.classList.add("scripted");
  show();
})();
