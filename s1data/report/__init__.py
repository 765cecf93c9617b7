"""The run report: one self-contained page, and the same figures for terminals, scripts and papers.

`facts` reads a finished run once, column by column. `summary` counts; everything shown is one of
its figures. `payload` packs every row for the page's explorer, `page` writes the HTML around it,
`pictures` draws charts, `terminal` prints tables.
"""
