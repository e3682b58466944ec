"""The networks: the only place that imports torch, gfpgan, realesrgan, basicsr and facexlib."""
