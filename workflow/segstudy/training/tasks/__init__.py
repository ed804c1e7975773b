"""What a training learns beside masks of labelled images: noise removal, pseudo-labels, a mean teacher.
A task changes batches and losses; the loop stays the same.
"""
