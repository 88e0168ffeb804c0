// Downloads: every table as CSV and as LaTeX, the figure as SVG, and a link to what is shown now. All of them are made
// here, of what stands on the page; nothing is fetched.
"use strict";
(function (page) {
  const FORMULA = /^[=+\-@\t\r](?![\d.,]+$)/; // what spreadsheets take for the begin of a formula; a number is none
  const LATEX = { "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "&": "\\&", "%": "\\%", "$": "\\$", "#": "\\#", "_": "\\_",
    "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}",
    '"': "\\textquotedbl{}", "[": "{[}", "]": "{]}", "–": "--", "−": "-", "†": "\\dag{}", "★": "*", "✓": "yes", "✗": "no" };

  // The texts of a table's rows; small print follows in brackets. Buttons are left out.
  page.tableTexts = function (table) {
    const text = (node) => node.textContent.replace(/\s+/g, " ").trim();
    return [...table.rows].map((row) => [...row.cells].map((cell) => {
      const small = [...cell.querySelectorAll("small")].map(text).filter(Boolean).join("; ");
      const copy = cell.cloneNode(true);
      copy.querySelectorAll("small").forEach((one) => one.remove());
      return small ? `${text(copy)} (${small})` : text(copy);
    }));
  };

  page.csv = (rows) => rows.map((row) => row.map(csvCell).join(",")).join("\n") + "\n";

  function csvCell(text) {
    const safe = text.startsWith("=") || FORMULA.test(text) ? `'${text}` : text;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  page.latex = function (rows, caption) {
    const tex = (text) => [...text].map((one) => LATEX[one] ?? one).join("");
    const line = (row) => `${row.map(tex).join(" & ")} \\\\`;
    return ["\\begin{table}", "\\centering", `\\caption{${tex(caption)}}`, `\\begin{tabular}{l${"r".repeat(rows[0].length - 1)}}`, "\\toprule",
      line(rows[0]), "\\midrule", ...rows.slice(1).map(line), "\\bottomrule", "\\end{tabular}", "\\end{table}", ""].join("\n");
  };

  function save(name, type, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  const stem = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60) || "table";

  function button(text, label, action) {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
    made.setAttribute("aria-label", label);
    made.addEventListener("click", action);
    return made;
  }

  // Buttons after every table in a scrolling box that has none yet.
  page.offerTables = function (root) {
    for (const box of root.querySelectorAll(".scroll")) {
      const table = box.querySelector("table");
      if (!table || box.nextElementSibling?.classList.contains("save")) continue;
      const caption = table.caption ? table.caption.textContent.trim() : "Table";
      const row = Object.assign(document.createElement("p"), { className: "save" });
      row.append(
        button("CSV", `${caption}, as CSV`, () => save(`${stem(caption)}.csv`, "text/csv", page.csv(page.tableTexts(table)))),
        button("LaTeX", `${caption}, as LaTeX`, () => save(`${stem(caption)}.tex`, "text/plain", page.latex(page.tableTexts(table), caption))),
      );
      box.after(row);
    }
  };

  // The figure as it is shown now, as a drawing of its own.
  page.figureSvg = function (state) {
    const drawing = page.drawing(state), scale = page.scale(state, drawing.x);
    const W = 640, H = 420, L = 52, R = 12, T = 12, B = 44 + 18 * (drawing.lines.length + Math.min(1, drawing.policies.length));
    const [x0, x1] = drawing.x.map(Math.log), [y0, y1] = drawing.y;
    const X = (x) => (L + ((Math.log(x) - x0) / (x1 - x0)) * (W - L - R)).toFixed(2);
    const Y = (y) => (H - B - ((y - y0) / (y1 - y0)) * (H - B - T)).toFixed(2);
    const escape = (text) => page.printable(text).replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
    const path = (values) => values.map((y, at) => (y === null ? null : `${X(drawing.xs[at])} ${Y(y)}`)).filter(Boolean);
    const parts = page.ticks(drawing.x, scale.factor, W - L - R).map((x) =>
      `<path d="M${X(x)} ${T}V${H - B}" stroke="#d9dde2"/><text x="${X(x)}" y="${H - B + 15}" text-anchor="middle">${page.amount(x / scale.factor)}</text>`);
    for (let y = y0; y <= Math.min(100, y1); y += y1 - y0 > 50 ? 20 : 10) {
      parts.push(`<path d="M${L} ${Y(y)}H${W - R}" stroke="#d9dde2"/><text x="${L - 6}" y="${Number(Y(y)) + 4}" text-anchor="end">${y}</text>`);
    }
    drawing.lines.forEach((one, at) => {
      const colour = PRINTED[page.place(one.label) % PRINTED.length], dots = [];
      const band = [...path(one.high), ...path(one.low).reverse()];
      if (band.length) parts.push(`<path d="M${band.join("L")}Z" fill="${colour}" fill-opacity="0.13"/>`);
      for (const [values, dash] of [[one.solid, ""], [one.dashed, ' stroke-dasharray="5 3"']]) {
        const line = path(values);
        if (line.length > 1) parts.push(`<path d="M${line.join("L")}" fill="none" stroke="${colour}" stroke-width="1.7"${dash}/>`);
      }
      one.curve.k.forEach((k, n) => {
        if (Math.log2(k) % 1 === 0) dots.push(page.path(page.marker(one.label), Number(X(one.cost[n])), Number(Y(100 * one.curve.success[n])), 3));
      });
      const y = H - B + 50 + 18 * at;
      parts.push(`<path d="${dots.join("")}${page.path(page.marker(one.label), L + 6, y - 4, 4)}" fill="${colour}"/><text x="${L + 18}" y="${y}">${escape(one.label)}</text>`);
    });
    for (const { label, x, y } of drawing.stars) parts.push(`<path d="${page.path("star", Number(X(x)), Number(Y(y)), 4.5)}" fill="${PRINTED[page.place(label) % PRINTED.length]}" stroke="#1b1f24" stroke-width="0.7"/>`);
    const plan = drawing.policies.map(({ x, y }) => `${X(x)} ${Y(y)}`);
    if (plan.length) {
      const bars = drawing.policies.filter((one) => one.low !== null).map(({ x, low, high }) => `M${X(x)} ${Y(low)}V${Y(high)}`).join("");
      parts.push(`<path d="M${plan.join("L")}${bars}" fill="none" stroke="#1b1f24"/>`);
      const y = H - B + 50 + 18 * drawing.lines.length, dots = drawing.policies.map((one) => page.path("diamond", Number(X(one.x)), Number(Y(one.y)), 4));
      parts.push(`<path d="${dots.join("")}${page.path("diamond", L + 6, y - 4, 4)}"/><text x="${L + 18}" y="${y}">planned policies</text>`);
    }
    parts.push(`<text x="${(L + W - R) / 2}" y="${H - B + 32}" text-anchor="middle">${scale.text}</text>`);
    parts.push(`<text transform="translate(14 ${(H - B + T) / 2}) rotate(-90)" text-anchor="middle">problems solved: pass@k, %</text>`);
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${W} ${H}" width="${W}" height="${H}" font-family="sans-serif" font-size="11" fill="#1b1f24"><rect width="${W}" height="${H}" fill="#ffffff"/>${parts.join("")}</svg>`;
  };

  const PRINTED = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7d8590"];

  page.showDownloads = function (host) {
    const said = Object.assign(document.createElement("span"), { className: "note" });
    said.setAttribute("role", "status");
    const copy = async () => {
      const link = location.href.split("#")[0] + page.hash({ ...page.state, budget: page.stop(page.state).budget });
      try {
        await navigator.clipboard.writeText(link);
        said.textContent = " Copied.";
      } catch {
        said.textContent = ` ${link}`; // a page from a disk may not write to the clipboard everywhere
      }
    };
    host.append(
      button("Figure as SVG", "The figure as it is shown, as SVG", () => save(`${stem(page.state.benchmark)}.svg`, "image/svg+xml", page.figureSvg(page.state))),
      button("Link to this view", "Copy a link to what is shown", copy), said);
    page.offerTables(document);
    page.listen(() => page.offerTables(document));
  };
})((window.isobudgetPage = window.isobudgetPage || {}));
