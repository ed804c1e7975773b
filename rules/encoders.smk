# Weights that encoders start from: fetched once, where there is internet, and an input of every training that wants them.

ENCODERS = "resources/encoders"


def encoder_of(wildcards):
    """The weights that the cell's network starts from; nothing where it starts from chance."""
    encoder = STUDY.encoder(wildcards.model)
    return f"{ENCODERS}/{encoder}.safetensors" if encoder else []


def given_encoder(wildcards):
    """A state dict that somebody has put beside the place of the weights, for machines without internet."""
    name = re.compile(
        re.escape(wildcards.encoder) + r"(-[0-9a-f]{8,64})?\.(pth|pt|bin)"
    )
    found = sorted(p for p in Path(ENCODERS).glob("*") if name.fullmatch(p.name))
    return str(found[0]) if found else []


rule encoder:
    """Weights of an encoder, learned on ImageNet; on the login node of a cluster, since it needs internet."""
    input:
        given=given_encoder,
    output:
        weights=f"{ENCODERS}/{{encoder}}.safetensors",
    log:
        log_of("encoder", "{encoder}"),
    benchmark:
        benchmark_of("encoder", "{encoder}")
    localrule: True
    conda:
        "../envs/segstudy.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    script:
        "../workflow/scripts/encoder.py"
