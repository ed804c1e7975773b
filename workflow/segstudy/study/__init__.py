"""A study as a whole. For people: what it will cost, how far it is, what came out, what can go.
For the rules: targets, inputs and params of jobs, what a job asks the machine for. Runs nothing; Snakemake does.
"""
