"""The formula of every loss, one function each.

`segstudy.config.losses` maps the name of a loss to its function and to its options, the keyword arguments of the
function. In all formulas y is the mask, z the logit, p = sigmoid(z), m the region that counts (roi), and "mean" is the
mean over the counted pixels of the batch, sum(m * .) / sum(m): an image without a counted pixel adds nothing, and a
batch without one has loss 0. S0, S1, S3 and S4 are the source documents named in docs/losses.md.

Shapes: logits float (B, K, H, W), K = 1 for the binary losses; target (B, H, W) class ids, 0 and 1 for those;
roi (B, H, W), 0.0 or 1.0 in the type of the logits. Multiplied rather than filled by a mask: that is several
times faster on a CPU.
"""
