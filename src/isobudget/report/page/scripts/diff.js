// What one program has and another has not, line by line: the longest common subsequence of their lines (dynamic
// programming), after what begins and ends both has been set aside. Where that would be too much work, the middle is
// shown as taken out and put in as a whole.
"use strict";
(function (page) {
  const MOST = 400000; // cells of the table

  // Lines of both texts in order: ["same" | "out" | "in", text]; "out" is only in the first, "in" only in the second.
  page.diff = function (first, second) {
    const one = first.split("\n"), other = second.split("\n");
    let start = 0, end = 0;
    while (start < Math.min(one.length, other.length) && one[start] === other[start]) start += 1;
    const most = Math.min(one.length, other.length) - start;
    while (end < most && one[one.length - 1 - end] === other[other.length - 1 - end]) end += 1;
    const same = (lines) => lines.map((text) => ["same", text]);
    const middle = between(one.slice(start, one.length - end), other.slice(start, other.length - end));
    return [...same(one.slice(0, start)), ...middle, ...same(one.slice(one.length - end))];
  };

  function between(one, other) {
    const out = one.map((text) => ["out", text]), put = other.map((text) => ["in", text]);
    if (!one.length || !other.length || one.length * other.length > MOST) return [...out, ...put];
    const common = table(one, other), lines = [];
    let x = 0, y = 0;
    while (x < one.length && y < other.length) {
      if (one[x] === other[y]) { lines.push(["same", one[x]]); x += 1; y += 1; }
      else if (common[x + 1][y] >= common[x][y + 1]) { lines.push(out[x]); x += 1; }
      else { lines.push(put[y]); y += 1; }
    }
    return [...lines, ...out.slice(x), ...put.slice(y)];
  }

  // How many lines the rests from (x, y) on have in common.
  function table(one, other) {
    const common = Array.from({ length: one.length + 1 }, () => new Uint32Array(other.length + 1));
    for (let x = one.length - 1; x >= 0; x -= 1) {
      for (let y = other.length - 1; y >= 0; y -= 1) {
        common[x][y] = one[x] === other[y] ? common[x + 1][y + 1] + 1 : Math.max(common[x + 1][y], common[x][y + 1]);
      }
    }
    return common;
  }

  // The difference from a first text to a second, with signs as well as colours.
  page.Diff = function ({ from, to }) {
    const { html } = window.htmPreact;
    const signs = { same: " ", out: "−", in: "+" }, names = { same: "", out: "only in the passing one: ", in: "only in this one: " };
    return html`<code>${page.diff(from, to).map(([kind, text]) => html`<span class=${`diff-${kind}`}><span aria-hidden="true">${signs[kind]} </span><span class="unseen">${names[kind]}</span>${text}${"\n"}</span>`)}</code>`;
  };
})((window.isobudgetPage = window.isobudgetPage || {}));
