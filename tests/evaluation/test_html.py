from html.parser import HTMLParser

import pytest

from mer_jax.evaluation import html

HOSTILE = '<script>alert("1")</script>'


class Parsed(HTMLParser):
    """Tags with attributes, and whether each was closed in order."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("img", "meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_text_and_attributes_are_escaped():
    assert html.element("p", HOSTILE, title='"><b>') == (
        '<p title="&quot;&gt;&lt;b&gt;">&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;</p>'
    )


def test_markup_is_escaped_once():
    inner = html.element("b", "a & b")
    assert html.paragraph(inner, " < ", 3) == "<p><b>a &amp; b</b> &lt; 3</p>"


@pytest.mark.parametrize("bad", ["a\nb", "a\x1bb", "a\ud800b", "a\u202eb", "a\u2028b", "a\x00b"])
def test_what_breaks_a_line_is_replaced(bad):
    assert html.printable(bad) == "a\ufffdb"


@pytest.mark.parametrize("good", ["悲しい", "mélancolie", "نیم\u200cفاصله", "R&B / soul", "😀"])
def test_other_scripts_are_kept(good):
    assert html.printable(good) == good


def test_page_escapes_everything_it_is_given():
    page = html.Page(title=HOSTILE, subtitle=HOSTILE, label=HOSTILE)
    table = page.table(HOSTILE, [HOSTILE], [[HOSTILE]], align="l")
    figure = page.figure(b"light", b"dark", alt=HOSTILE, caption=HOSTILE)
    page.section(HOSTILE, table, figure, html.code_block(HOSTILE), html.tiles([(HOSTILE, HOSTILE, HOSTILE)]))
    parsed = Parsed(page.render())
    assert parsed.open == []
    assert "script" not in {tag for tag, _ in parsed.tags}


def test_a_row_of_markup_is_a_heading():
    page = html.Page(title="t")
    rows = [html.text("first & last"), [html.stack(html.chip("<new>"), HOSTILE), 1]]
    table = page.table("c", ["a", "b"], rows, align="lr", compact=True)
    parsed = Parsed(table)
    assert parsed.open == []
    assert ("th", {"colspan": "2", "scope": "rowgroup"}) in parsed.tags
    assert "first &amp; last" in table
    assert "&lt;new&gt;" in table
    assert "script" not in {tag for tag, _ in parsed.tags}


def test_page_fetches_nothing():
    page = html.Page(title="t")
    page.section("one", page.figure(b"light", b"dark", alt="a", caption="c"))
    parsed = Parsed(page.render())
    for tag, attributes in parsed.tags:
        assert tag not in ("script", "link", "iframe", "object")
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in page.render()
    assert "@import" not in page.render()


def test_links_lead_to_sections():
    page = html.Page(title="t")
    page.section("One", "a")
    page.section("Two", "b")
    parsed = Parsed(page.render())
    targets = {attributes["id"] for tag, attributes in parsed.tags if tag == "section"}
    assert {attributes["href"][1:] for tag, attributes in parsed.tags if tag == "a"} == targets
    assert len(targets) == 2


def test_label_is_in_every_caption_and_in_the_title():
    page = html.Page(title="t", label="synthetic data")
    caption = page.table("Scores", ["a"], [], align="l").split("</caption>")[0]
    assert "synthetic data" in caption
    assert "synthetic data" in page.figure(b"", b"", alt="a", caption="c").split("<figcaption>")[1]
    head, body = page.render().split("<body>")
    assert "synthetic data" in head
    assert "synthetic data" in body


def test_without_a_label_nothing_is_said():
    page = html.Page(title="t")
    assert "label" not in page.table("Scores", ["a"], [["b"]], align="l").replace("aria-label", "")
    assert '<p class="banner">' not in page.render()


def test_a_short_row_is_an_error():
    with pytest.raises(ValueError, match="argument"):
        html.Page(title="t").table("c", ["a", "b"], [["only one"]], align="lr")
