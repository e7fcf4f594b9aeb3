"""Charts as inline SVG, made on the server; each has its figures as a table beneath.

Positions along time are percentages and heights are pixels, so that a chart fills any width while
its text keeps its size. Colours come from CSS classes only: the pages' policy forbids styles.
"""
