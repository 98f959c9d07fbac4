"""Is work flowing? Rules over one look at the database and the environment.

    look (reads) ─▶ Facts ─▶ rules, each a pure function ─▶ Findings
                      └────▶ overview: the same facts, counted for `lodger stats`

A rule speaks only with evidence. Where it has too little it says so: severity "unknown" changes no exit code.
"""
