"""Builds HTML as a tree, so that no text from outside can become markup."""

from __future__ import annotations

from xml.etree.ElementTree import Element


def element(tag: str, *content: Element | str, **attributes: str | float) -> Element:
    """Makes an element with what it holds.

    Args:
        tag: its name.
        content: elements, each in one place only, and text.
        attributes: `class_` becomes class, `stroke_width` stroke-width; numbers keep two places.
    """
    made = Element(tag, {_attribute(name): _written(value) for name, value in attributes.items()})
    for one in content:
        if isinstance(one, Element):
            made.append(one)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + one
        else:
            made.text = (made.text or "") + one
    return made


def table(heads: list[Element], rows: list[Element], **attributes: str) -> Element:
    """Makes a table that scrolls by itself where it is wider than the page."""
    head = element("thead", element("tr", *heads))
    return element("div", element("table", head, element("tbody", *rows), **attributes), class_="wide")


def shaded(text: str, share: float, **attributes: str) -> Element:
    """Makes a table cell with a background as deep as a share, 0 to 1."""
    return element("td", text, class_="n shaded", style=f"--share:{share:.2f}", **attributes)


def _attribute(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _written(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
