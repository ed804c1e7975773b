# Weights that encoders start from: fetched once, where there is internet, and an input of every training that wants them.


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
        mem_mb=growing(4000),
        runtime=longer(60),
    script:
        "../workflow/scripts/encoder.py"
