"""The command `segstudy`: one module per command, each a thin frame over the functions that the rules use."""
