"""From score files to tables: frame, statistics, neutral table, renderers. Works where torch is not installed."""
