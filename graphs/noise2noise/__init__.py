"""The application: denoising pictures with a network that has only ever seen noisy ones.

Noise2Noise: if the noise of the target has zero mean and is independent of the input's noise, the
best prediction of the noisy target is the clean picture. Source: Lehtinen et al., "Noise2Noise:
Learning Image Restoration without Clean Data", ICML 2018.

It needs more packages than the engine does: install it with the extra ``app``.
"""
