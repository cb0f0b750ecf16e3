"""A table as one self-contained HTML page."""

from __future__ import annotations

import jinja2

from benchtool.report.grid import layout
from benchtool.report.notes import emphasis, lead, legend
from benchtool.report.table import Report

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1c1c1c; }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
  caption { text-align: left; font-weight: 600; padding: 1rem 0 .25rem; }
  th, td { padding: .15rem .6rem; text-align: right; }
  tbody th { text-align: left; font-weight: 400; }
  thead th { font-weight: 600; text-align: center; }
  thead tr:last-child th { border-bottom: 1px solid; font-weight: 400; text-align: right; }
  .best { font-weight: 700; } .second { text-decoration: underline; }
  .places { display: inline-block; min-width: 2.5em; text-align: left; }
  .spread, small, ol, ul { color: #555; } .warning { color: #8a4b00; }
</style>
{% macro marks(notes) %}
{%- if notes %}<sup>{% for n in notes %}<a href="#note-{{ n }}">{{ n }}</a>{{ ", " if not loop.last }}{% endfor %}</sup>{% endif %}
{%- endmacro %}
<h1>{{ title }}</h1>
{% for line in lead %}
<p>{{ line }}</p>
{% endfor %}
{% for line in report.warnings %}
<p class="warning">{{ line }}</p>
{% endfor %}
{% for grid in grids %}
<div class="scroll"><table>
<caption>{{ grid.title }}{{ marks(grid.notes) }}</caption>
<thead>
<tr><th></th>
{% for head, span in grid.group_spans() %}
<th colspan="{{ span }}">{{ head.group }}{{ marks(head.group_notes) }}</th>
{% endfor %}
</tr>
{% if grid.metric_spans() %}
<tr><th></th>
{% for head, span in grid.metric_spans() %}
<th colspan="{{ span }}">{{ head.metric }}{{ marks(head.metric_notes) }}</th>
{% endfor %}
</tr>
{% endif %}
<tr><th></th>{% for head in grid.heads %}<th>{{ head.kind }}</th>{% endfor %}</tr>
</thead>
<tbody>
{% for row in grid.rows %}
<tr><th scope="row">{{ row.label }}{{ marks(row.notes) }}</th>
{%- for e in row.entries %}
<td><span class="{{ e.rank or '' }}">{{ e.text }}</span>
{%- if e.spread %} <span class="spread">{{ e.spread }}</span>{% endif %}
{%- if e.places %} <span class="spread places">({{ e.places }})</span>{% endif %}{{ marks(e.notes) }}</td>
{%- endfor %}</tr>
{% endfor %}
</tbody>
</table></div>
{% endfor %}
{% for line in legend %}
<p>{{ line }}</p>
{% endfor %}
{% if report.hint %}
<p class="warning">{{ report.hint }}</p>
<pre>{{ report.commands | join("\n") }}</pre>
{% endif %}
{% for line in report.unreadable %}
<p class="warning">Could not be read: {{ line }}</p>
{% endfor %}
<ul>
{% for line in report.sources %}
<li>{{ line }}</li>
{% endfor %}
</ul>
<ol>
{% for line in report.footnotes %}
<li id="note-{{ loop.index }}">{{ line }}</li>
{% endfor %}
</ol>
<ul>
{% for line in report.notes %}
<li>{{ line }}</li>
{% endfor %}
</ul>
</html>
"""


def render(report: Report) -> str:
    """The table as an HTML page; everything that is not of the template is escaped."""
    page = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined).from_string(PAGE)
    below = [*legend(report), *emphasis(report)]
    return page.render(report=report, title=report.title, grids=layout(report), lead=lead(report), legend=below) + "\n"
