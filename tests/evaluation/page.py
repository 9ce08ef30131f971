"""A report as a test reads it."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """The tags of a page, its visible text, and the text of its captions."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.captions, self.text, self._inside = [], [], "", None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("caption", "figcaption"):
            self.captions.append("")
            self._inside = tag

    def handle_endtag(self, tag):
        self._inside = None if tag == self._inside else self._inside

    def handle_data(self, data):
        self.text += data
        if self._inside:
            self.captions[-1] += data
