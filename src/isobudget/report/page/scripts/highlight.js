// Python source as coloured words: comments, strings, numbers, keywords, names that are defined. A small reader of
// tokens and no parser: what it does not know stays plain. It gives pieces of text with a class; the page shows them as
// text nodes, so that nothing in a program can become markup.
"use strict";
(function (page) {
  const MOST = 20000; // letters: longer programs are shown plain
  const KEYWORDS = new Set(("False None True and as assert async await break class continue def del elif else except finally for " +
    "from global if import in is lambda nonlocal not or pass raise return try while with yield match case").split(" "));
  const TOKEN = new RegExp([
    "(?<comment>#[^\\n]*)",
    "(?<string>(?:\\b[rRbBuUfF]{1,2})?(?:\"\"\"[\\s\\S]*?(?:\"\"\"|$)|'''[\\s\\S]*?(?:'''|$)|\"(?:\\\\.|[^\"\\\\\\n])*\"?|'(?:\\\\.|[^'\\\\\\n])*'?))",
    "(?<number>\\b(?:0[xXoObB][\\da-fA-F_]+|\\d[\\d_]*(?:\\.[\\d_]*)?(?:[eE][+-]?\\d+)?)\\b)",
    "(?<word>[A-Za-z_]\\w*)",
  ].join("|"), "g");

  // The pieces of a program: [class, text]; the class is empty for what is plain.
  page.pieces = function (source) {
    if (source.length > MOST) return [["", source]];
    const pieces = [];
    let end = 0, before = "";
    for (const match of source.matchAll(TOKEN)) {
      if (match.index > end) pieces.push(["", source.slice(end, match.index)]);
      const text = match[0], { comment, string, number } = match.groups;
      let kind = comment ? "comment" : string ? "string" : number ? "number" : KEYWORDS.has(text) ? "keyword" : "";
      if (!kind && (before === "def" || before === "class")) kind = "defined";
      pieces.push([kind, text]);
      before = text;
      end = match.index + text.length;
    }
    if (end < source.length) pieces.push(["", source.slice(end)]);
    return pieces;
  };

  page.Code = function ({ text }) {
    const { html } = window.htmPreact;
    return html`<code>${page.pieces(text).map(([kind, piece]) => (kind ? html`<span class=${`code-${kind}`}>${piece}</span>` : piece))}</code>`;
  };
})((window.isobudgetPage = window.isobudgetPage || {}));
