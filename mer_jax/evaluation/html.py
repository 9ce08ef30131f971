"""A small builder of self-contained HTML pages: sections, tables, pictures, nothing fetched and no script.

Whatever is not :class:`Html` is escaped on its way in, so names that come out of a data set cannot become markup.

>>> element("b", "a < b")
'<b>a &lt; b</b>'
>>> element("td", element("b", 1), class_="n")
'<td class="n"><b>1</b></td>'
"""

import base64
import html
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_VOID = frozenset({"br", "img", "meta"})


class Html(str):
    """Markup that goes into a page as it is."""

    __slots__ = ()


def printable(value: object) -> str:
    r"""Text with what breaks an encoder, a terminal or a line replaced by U+FFFD.

    That is: control characters and line ends, lone surrogates, and the marks that reorder the text after them.

    >>> printable("calm\x1b[31m")
    'calm�[31m'
    """
    return "".join("�" if _breaks(character) else character for character in str(value))


def _breaks(character: str) -> bool:
    return (
        unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        or "\u202a" <= character <= "\u202e"
        or "\u2066" <= character <= "\u2069"
    )


def text(value: object) -> Html:
    """Escape ``value`` unless it is markup already."""
    return value if isinstance(value, Html) else Html(html.escape(printable(value)))


def join(parts: Iterable[object]) -> Html:
    """Put parts next to each other, escaping what is not markup."""
    return Html("".join(text(part) for part in parts))


def element(name: str, /, *children: object, **attributes: object) -> Html:
    """One element; a trailing underscore of an attribute's name is dropped, other underscores become hyphens.

    Args:
        name: the tag, ``br`` and the like without an end tag.
        children: markup or text.
        attributes: values are escaped; None leaves the attribute out.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>" if name in _VOID else f"<{name}{given}>{join(children)}</{name}>")


def paragraph(*children: object, class_: str | None = None) -> Html:
    """A paragraph."""
    return element("p", *children, class_=class_)


def swatch(colour: str) -> Html:
    """A small square in ``colour`` (``#rrggbb``), to tie a row to the pictures; the name beside it carries the meaning."""
    return element("span", class_="swatch", style=f"background:{colour}", aria_hidden="true")


def chip(content: str, *, warning: bool = False) -> Html:
    """A short remark that stands out, e.g. "chosen"."""
    return element("span", content, class_="chip warn" if warning else "chip")


def stack(above: object, below: object) -> Html:
    """Two lines in one cell of a table, the lower one smaller."""
    return join([above, element("span", below, class_="below")])


def code_block(content: str) -> Html:
    """Preformatted text; lines wrap on a narrow screen."""
    return element("pre", join(Html(f"{text(line)}\n") for line in content.splitlines()))


def tiles(entries: Iterable[tuple[str, str, str]]) -> Html:
    """A row of headline figures: (name, value, detail)."""
    boxes = [
        element(
            "div",
            element("div", name, class_="name"),
            element("div", value, class_="value"),
            element("div", detail, class_="detail"),
            class_="tile",
        )
        for name, value, detail in entries
    ]
    return element("div", *boxes, class_="tiles")


def gallery(figures: Iterable[Html]) -> Html:
    """Figures side by side where there is room, below one another on a phone."""
    return element("div", *figures, class_="gallery")


@dataclass
class Page:
    """A page under construction; sections appear in the order they are added.

    Attributes:
        title: heading and window title.
        subtitle: one line below it.
        label: a warning such as "synthetic data", shown with the title and in the caption of every table and figure.
    """

    title: str
    subtitle: str = ""
    label: str = ""
    _sections: list[tuple[str, Html]] = field(default_factory=list)

    def section(self, heading: str, *blocks: object) -> None:
        """Add a section and its entry in the list of contents."""
        self._sections.append((heading, join(blocks)))

    def caption(self, content: object) -> Html:
        """``content`` followed by the page's label."""
        label = element("span", self.label, class_="label") if self.label else Html("")
        return join([content, Html(" "), label]) if self.label else text(content)

    def table(
        self,
        caption: str,
        header: Sequence[object],
        rows: Iterable[Sequence[object]],
        *,
        align: str,
        compact: bool = False,
    ) -> Html:
        """A table; ``align`` has one letter a column, ``l`` for text and ``r`` for numbers.

        A row that is :class:`Html` is a heading of the rows below it. ``compact`` takes the whole width and smaller type, for
        many columns.

        Raises:
            ValueError: a row (or ``align``) has not as many cells as the header.
        """
        names = ["num" if letter == "r" else None for letter in align]
        head = [
            element("th", cell, scope="col", class_=name) for cell, name in zip(header, names, strict=True)
        ]
        body = [
            element("tr", element("th", row, colspan=len(names), scope="rowgroup"), class_="group")
            if isinstance(row, Html)
            else element(
                "tr", *(element("td", cell, class_=name) for cell, name in zip(row, names, strict=True))
            )
            for row in rows
        ]
        content = element(
            "table",
            element("caption", element("span", self.caption(caption))),
            element("thead", element("tr", *head)),
            element("tbody", *body),
            class_="compact" if compact else None,
        )
        return element("div", content, class_="scroll", tabindex="0", role="region", aria_label=caption)

    def figure(self, light: bytes, dark: bytes, *, alt: str, caption: str, wide: bool = False) -> Html:
        """A PNG in two colourings, one of which shows; paper always gets the light one. ``wide`` takes the page's whole width.

        Two images and a style rule, because a ``picture`` element keeps its choice for the screen when it is printed.
        """
        images = [
            element("img", src=_data_uri(png), alt=alt, class_=name)
            for name, png in (("light", light), ("dark", dark))
        ]
        caption_below = element("figcaption", self.caption(caption))
        return element("figure", *images, caption_below, class_="wide" if wide else None)

    def render(self) -> str:
        """The whole document."""
        contents = [
            element("a", heading, href=f"#s{number}") for number, (heading, _) in enumerate(self._sections)
        ]
        sections = [
            element("section", element("h2", heading), body, id=f"s{number}")
            for number, (heading, body) in enumerate(self._sections)
        ]
        banner = element("p", self.label, class_="banner") if self.label else ""
        header = element("header", banner, element("h1", self.title), paragraph(self.subtitle, class_="sub"))
        head = element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            element("title", f"{self.title} ({self.label})" if self.label else self.title),
            element("style", Html(_STYLE)),
        )
        main = element("main", header, element("nav", *contents, aria_label="Contents"), *sections)
        return f"<!doctype html>\n{element('html', head, element('body', main), lang='en')}\n"


def _data_uri(png: bytes) -> Html:
    return Html("data:image/png;base64," + base64.b64encode(png).decode("ascii"))


# The page needs nothing but its own pictures and style: tell the browser to refuse the rest.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = """
:root { --page:#f4f5f7; --card:#ffffff; --ink:#1b1f24; --muted:#5b6470; --line:#d9dde3; --accent:#0b62a8;
  --warn-ink:#7a3b00; --warn:#ffe9c7; }
@media screen and (prefers-color-scheme: dark) { :root { --page:#0f1215; --card:#171b20; --ink:#e4e7eb; --muted:#9aa4b0;
  --line:#2c333b; --accent:#6fb7f2; --warn-ink:#ffd9a0; --warn:#4a2f0a; } }
* { box-sizing:border-box; }
body { margin:0; background:var(--page); color:var(--ink); font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif; }
main { max-width:1120px; margin:0 auto; padding:1.5rem 1rem 4rem; }
h1 { margin:.2rem 0 0; font-size:1.7rem; line-height:1.2; overflow-wrap:anywhere; }
h2 { margin:2.4rem 0 .6rem; font-size:1.2rem; }
p { margin:.5rem 0; max-width:75ch; overflow-wrap:anywhere; }
.sub, .note, figcaption, .detail, .name { color:var(--muted); }
.note, figcaption { font-size:.875rem; }
.banner { display:inline-block; margin:0; padding:.3rem .7rem; border-radius:.3rem; background:var(--warn);
  color:var(--warn-ink); font-weight:700; text-transform:uppercase; letter-spacing:.05em; }
.label { white-space:nowrap; padding:.05rem .4rem; border-radius:.2rem; background:var(--warn); color:var(--warn-ink);
  font-weight:600; font-size:.8em; }
.warning { padding:.6rem .8rem; border-left:4px solid var(--warn-ink); background:var(--warn); color:var(--warn-ink); }
nav { display:flex; flex-wrap:wrap; gap:.2rem 1rem; margin:1rem 0; font-size:.9rem; }
a { color:var(--accent); }
.tiles { display:grid; grid-template-columns:repeat(auto-fit,minmax(150px,1fr)); gap:.7rem; margin:.8rem 0; }
.tile, figure, .scroll, pre { background:var(--card); border:1px solid var(--line); border-radius:.4rem; }
.tile { padding:.7rem .8rem; }
.name { font-size:.85rem; } .detail { font-size:.8rem; }
.value { font-size:1.55rem; font-weight:650; font-variant-numeric:tabular-nums; line-height:1.25; }
.gallery { display:grid; grid-template-columns:repeat(auto-fill,minmax(min(100%,440px),1fr)); gap:.9rem; align-items:start; }
figure { margin:0; padding:.6rem; } figure img { display:block; width:100%; max-width:640px; height:auto; margin:0 auto; }
figcaption { margin-top:.4rem; }
figure.wide { margin:.8rem 0; grid-column:1/-1; } figure.wide img { max-width:none; }
.scroll { overflow-x:auto; margin:.8rem 0; width:fit-content; max-width:100%; }
.gallery .scroll { margin:0; width:auto; }
table { border-collapse:collapse; width:100%; font-size:.92rem; font-variant-numeric:tabular-nums; }
caption { text-align:left; padding:.6rem .75rem; font-weight:600; }
th, td { padding:.35rem .75rem; text-align:left; vertical-align:top; border-top:1px solid var(--line); unicode-bidi:isolate;
  max-width:34rem; }
td:not(.num) { overflow-wrap:anywhere; min-width:7.5rem; }
caption > span { position:sticky; left:.75rem; display:inline-block; max-width:calc(100vw - 4rem); }
th { color:var(--muted); font-weight:600; } .num { text-align:right; white-space:nowrap; }
.below { display:block; color:var(--muted); font-size:.86em; }
.chip { margin-left:.4em; padding:0 .4em; border-radius:.6em; border:1px solid var(--accent); color:var(--accent);
  font-size:.8em; font-weight:600; white-space:nowrap; }
.chip.warn { border-color:var(--warn-ink); background:var(--warn); color:var(--warn-ink); }
table.compact { font-size:.82rem; line-height:1.35; } table.compact th, table.compact td { padding:.25rem .45rem; }
table.compact thead th { vertical-align:bottom; line-height:1.25; white-space:normal; }
table.compact td:not(.num) { min-width:0; } table.compact td:first-child { min-width:16.5rem; }
tr.group th { color:var(--ink); background:var(--page); }
.swatch { display:inline-block; width:.75em; height:.75em; margin-right:.5em; border-radius:.15em; }
pre { margin:.8rem 0; padding:.8rem; font-size:.8rem; white-space:pre-wrap; overflow-wrap:anywhere; }
figure img.dark { display:none; }
@media screen and (prefers-color-scheme: dark) { figure img.dark { display:block; } figure img.light { display:none; } }
@media print { body { background:#fff; font-size:10pt; } main { max-width:none; padding:0; } nav { display:none; }
  figure, .tile, tr, .warning { break-inside:avoid; } h2, caption { break-after:avoid; } .scroll { overflow:visible; }
  caption > span { position:static; max-width:none; }
  .gallery { grid-template-columns:repeat(2,minmax(0,1fr)); } table { font-size:7.5pt; }
  th, td { padding:.2rem .35rem; } td:not(.num) { min-width:0; }
  .banner, .label, .warning, .swatch, .chip { print-color-adjust:exact; } }
"""
