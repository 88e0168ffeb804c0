// Downloads: every table as CSV and as LaTeX, every figure as SVG with its points as CSV and LaTeX, and a link to what is shown now. All of them are made
// here, of what stands on the page; nothing is fetched.
"use strict";
(function (page) {
  const FORMULA = /^'*[=+\-@\t\r](?![\d.,]+$)/; // what spreadsheets take for the begin of a formula, after apostrophes; a number is none
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
    const safe = /^'*=/.test(text) || FORMULA.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
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

  // What is offered of a figure: itself as SVG, and its points as CSV and LaTeX; `said` names it, with what is shown now.
  page.offerFigure = function (host, what, said, chart, rows) {
    const points = () => rows(page.state);
    host.append(
      button("Figure as SVG", `${what}, as it is shown, as SVG`, () => save(`${stem(said())}.svg`, "image/svg+xml", page.chartSvg(chart(page.state)))),
      button("Points as CSV", `The points of ${lower(what)}, as CSV`, () => save(`${stem(said())}-points.csv`, "text/csv", page.csv(points()))),
      button("Points as LaTeX", `The points of ${lower(what)}, as LaTeX`, () => save(`${stem(said())}-points.tex`, "text/plain", page.latex(points(), said()))));
  };

  const lower = (text) => text[0].toLowerCase() + text.slice(1);

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
    page.offerFigure(host, "The figure", () => page.state.benchmark, page.figureChart, page.figureRows);
    host.append(
      button("Link to this view", "Copy a link to what is shown", copy), said);
    page.offerTables(document);
    page.listen(() => page.offerTables(document));
  };
})((window.isobudgetPage = window.isobudgetPage || {}));
