"""The page of a campaign's report; every value in it is escaped by jinja2."""

__all__ = ["TEMPLATE"]

TEMPLATE = """\
{% macro chart(c) %}
<svg viewBox="0 0 {{ c.width }} {{ c.height }}" role="img" aria-label="{{ c.title }}">
<title>{{ c.title }}</title>
{% for y, text in c.y_ticks %}
<line class="grid" x1="{{ c.left }}" x2="{{ c.right }}" y1="{{ y }}" y2="{{ y }}"/>
<text x="{{ c.left - 6 }}" y="{{ y + 4 }}" text-anchor="end">{{ text }}</text>
{% endfor %}
{% for x, text in c.x_ticks %}
<text x="{{ x }}" y="{{ c.bottom + 16 }}" text-anchor="middle">{{ text }}</text>
{% endfor %}
<text x="{{ (c.left + c.right) / 2 }}" y="{{ c.height - 4 }}" text-anchor="middle">
{{- c.x_label }}</text>
{% for x, low, high in c.bars %}
<line class="bar" x1="{{ x }}" x2="{{ x }}" y1="{{ low }}" y2="{{ high }}"/>
{% endfor %}
{% for line in c.lines %}
<polyline points="{{ line }}"/>
{% endfor %}
{% for y, text in c.levels %}
<line class="level" x1="{{ c.left }}" x2="{{ c.right }}" y1="{{ y }}" y2="{{ y }}"/>
<text x="{{ c.right }}" y="{{ y - 4 }}" text-anchor="end">{{ text }}</text>
{% endfor %}
{% for x, y, text in c.points %}
<circle cx="{{ x }}" cy="{{ y }}" r="4"><title>{{ text }}</title></circle>
{% endfor %}
</svg>
{% endmacro %}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Campaign {{ name|cut(80) }}</title>
<style>
:root {
  color-scheme: light dark;
  --text: #1b1f24; --soft: #57606a; --page: #fff; --tint: #f3f5f7; --line: #d5dae0;
  --mark: #0a6bb5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e3e7eb; --soft: #a2abb5; --page: #15181c; --tint: #20252b;
    --line: #3a424b; --mark: #6cb6f0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--page);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; }
p { max-width: 42rem; }
.soft { color: var(--soft); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr));
  gap: .6rem; margin: 1rem 0; padding: 0; list-style: none; }
.facts li { background: var(--tint); border-radius: .5rem; padding: .5rem .8rem; }
.facts b { display: block; font-size: 1.4rem; font-weight: 600; line-height: 1.3; }
.next { border-left: .3rem solid var(--mark); padding: .4rem .9rem;
  background: var(--tint); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; overflow-wrap: normal; }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { font-weight: 600; white-space: nowrap; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
td.long { overflow-wrap: anywhere; min-width: 9rem; max-width: 26rem; }
svg { display: block; width: 100%; max-width: 38rem; height: auto; }
svg text { fill: var(--soft); font-size: 12px; }
@media (max-width: 30rem) { svg text { font-size: 17px; } }
svg .grid { stroke: var(--line); }
svg .bar { stroke: var(--mark); stroke-width: 2; opacity: .45; }
svg .level { stroke: var(--soft); stroke-dasharray: 5 4; }
svg polyline { fill: none; stroke: var(--mark); stroke-width: 2; }
svg circle { fill: var(--mark); }
.shares { display: grid; grid-template-columns: fit-content(14rem) 1fr auto;
  gap: .3rem .8rem; align-items: center; max-width: 38rem; }
.shares i { display: block; height: .9rem; background: var(--mark);
  border-radius: .2rem; min-width: 1px; }
.pictures { display: flex; flex-wrap: wrap; gap: .6rem; padding: 0; margin: .6rem 0; }
.pictures figure { margin: 0; width: 96px; font-size: .75rem; line-height: 1.3; }
.pictures img { display: block; max-width: 96px; background: var(--tint); }
.pictures .gone { display: grid; place-items: center; width: 96px; min-height: 64px;
  margin: 0; padding: .3rem; background: var(--tint); color: var(--soft);
  text-align: center; }
details { margin: .6rem 0; }
summary { cursor: pointer; }
</style>
</head>
<body>
<h1>Campaign {{ name|cut(80) }}</h1>
<p class="next">Next: {{ status.next }}.</p>
<ul class="facts">
<li><b>{{ "{:,}".format(status.n_labeled) }}</b>labelled</li>
<li><b>{{ "{:,}".format(status.n_open) }}</b>open</li>
<li><b>{{ "{:,}".format(status.n_skipped) }}</b>skipped</li>
<li><b>{{ "{:,}".format(status.n_pool) }}</b>in the pool</li>
<li><b>{{ status.rounds }}</b>batches</li>
<li><b>{{ status.trainings }}</b>trainings</li>
</ul>
{% if status.n_lost %}
<p>{{ "{:,}".format(status.n_lost) }} labelled rows are no longer in the pool and are
not trained on.</p>
{% endif %}
{% for note in notes %}
<p class="soft">{{ note.time }}: the pool changed: {{ "{:,}".format(note.added) }} rows
came, {{ "{:,}".format(note.removed) }} left, {{ note.changed }} of those compared have
other contents.</p>
{% endfor %}

<h2>How good is the model?</h2>
<p>{{ accuracy[0]|upper }}{{ accuracy[1:] }}.</p>
{% if accuracy_chart %}
{{ chart(accuracy_chart) }}
<p class="soft">Points: each round's random share, scored by the model that was there
before it learned from it, with the exact 95% interval. Line: three rounds pooled. They
speak of the rows that had no label at that time, not of the whole pool.</p>
<details><summary>Round by round</summary><div class="wide"><table>
<tr><th>round</th><th>labels</th><th>right</th><th>drawn</th><th>skipped</th>
<th>accuracy</th><th>95% interval</th>
{%- if any_lure %}<th>from the strategy's draws</th>{% endif %}</tr>
{% for row in accuracy_rows %}
<tr><td class="number">{{ row.round }}</td>
<td class="number">{{ "{:,}".format(row.n_labeled) }}</td>
<td class="number">{% if row.n_scored %}{{ row.n_correct }} of {{ row.n_scored }}
{%- endif %}</td>
<td class="number">{{ row.n_random }}</td>
<td class="number">{{ row.n_skipped }}</td>
<td class="number">{{ "{:.1%}".format(row.accuracy) if row.n_scored else
  "{} not answered".format(row.n_missed) if row.n_missed else "" }}</td>
<td class="number">{{ "{:.1%} to {:.1%}".format(row.low, row.high)
  if row.n_scored else "" }}</td>

{%- if any_lure %}<td class="number">{{ "{:.1%} (error {:.1%})".format(row.lure,
  row.lure_error) if row.n_lure else "" }}</td>{% endif %}</tr>
{% endfor %}
</table></div></details>
{% endif %}

<h2>Progress</h2>
{% if progress %}{{ chart(progress) }}{% else %}<p>No label yet.</p>{% endif %}

<h2>Classes</h2>
<div class="shares">
{% for c in classes %}
<span>{{ c.name|cut(60) }}</span><i style="width: {{ c.width }}%"></i>
<span>{{ "{:,}".format(c.n) }}</span>
{% endfor %}
</div>
<p class="soft">Chosen rows: their shares are not those of the pool.</p>

<h2>People</h2>
{% if annotators %}
<div class="wide"><table>
<tr><th>annotator</th><th>answers</th>
{%- if timed %}<th>median time</th><th>9 in 10 within</th>{% endif %}</tr>
{% for a in annotators %}
<tr><td class="long">{{ a.name|cut(80) }}</td><td class="number">{{ a.n }}</td>

{%- if timed %}<td class="number">{{ a.median }}</td>
<td class="number">{{ a.slow }}</td>{% endif %}</tr>
{% endfor %}
</table></div>
{% endif %}
<p>Rows with different labels by different people: {{ "{:,}".format(disputed.n) }}.</p>
{% if disputed.n %}
<div class="wide"><table><tr><th>row</th><th>labels</th></tr>
{% for id, given in disputed.rows %}
<tr><td class="long">{{ id|cut(80) }}</td>
<td class="long">{{ given|join("; ")|cut }}</td></tr>
{% endfor %}
</table></div>
{% endif %}

<h2>When to stop</h2>
{% for text, c in signs %}
<p>{{ text }}</p>{% if c %}{{ chart(c) }}{% endif %}
{% else %}
<p>No stopping criterion was given.</p>
{% endfor %}

<h2>Batches</h2>
{% for b in batches %}
<details{% if loop.first %} open{% endif %}><summary>Batch {{ b.number }}, {{ b.date }}:
{{ b.n }} rows, {{ b.n_random }} of them drawn at random; {{ b.n_labeled }} labelled,
{{ b.n_skipped }} skipped</summary>
<p class="soft">{{ b.strategy|cut(200) }}{% for name, n in b.classes[:10] %}
{{ ": " if loop.first else ", " }}{{ name|cut(40) }} {{ n }}{% endfor %}</p>
{% if b.rows and b.pictures %}
<div class="pictures">
{% for row in b.rows %}
<figure>{% if row.picture %}<img src="{{ row.picture }}" alt="">
{%- else %}<p class="gone">{{ row.text }}</p>{% endif %}
<figcaption>{{ row.answer|cut(40) }}<br><span class="soft">{{ row.id|cut(60) }}</span>
</figcaption></figure>
{% endfor %}
</div>
{% elif b.rows %}
<div class="wide"><table><tr><th>row</th><th>label</th><th>predicted</th>
{%- if b.texts %}<th>shown</th>{% endif %}</tr>
{% for row in b.rows %}
<tr><td class="long">{{ row.id|cut(80) }}</td><td>{{ row.answer|cut(40) }}</td>
<td>{{ "" if row.predicted is none else row.predicted|cut(40) }}</td>

{%- if b.texts %}<td class="long">{{ row.text|cut(300) }}</td>{% endif %}</tr>
{% endfor %}
</table></div>
{% endif %}
</details>
{% else %}
<p>None yet.</p>
{% endfor %}
</body>
</html>
"""
