"""A trained cell outside its study: prediction on new images, export to other programs, the model card.
Changes nothing in a results folder.
"""
