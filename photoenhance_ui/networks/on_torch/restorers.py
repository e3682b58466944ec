"""Face restorers: GFPGAN (clean) and RestoreFormer."""

from torch import nn

from photoenhance_ui.catalogue import Architecture
from photoenhance_ui.networks.interfaces import FACE_PX, FaceRestorer
from photoenhance_ui.networks.on_torch.basicsr_repair import repair
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.on_torch.tensors import to_pixels, to_tensor
from photoenhance_ui.networks.state_dicts import fill, load_state_dict
from photoenhance_ui.photo import Pixels
from photoenhance_ui.weights import Installed


class TorchRestorer:
    """A restorer that is one torch module taking and giving -1..1.

    The noise of GFPGAN's decoder is that stored with its weights, so that the same face gives
    the same result each time.
    """

    def __init__(self, name: str, network: nn.Module, placement: Placement) -> None:
        self.name = name
        self._network = network
        self._placement = placement

    def __call__(self, faces: Pixels) -> Pixels:
        """(N, 512, 512, 3) -> (N, 512, 512, 3), same depth."""
        inputs = (to_tensor(faces, self._placement) - 0.5) / 0.5
        output = self._network(inputs, return_rgb=False, randomize_noise=False)[0]
        return to_pixels((output.clamp(-1, 1) + 1) / 2, faces, self.name)


def load_restorer(found: Installed, placement: Placement) -> FaceRestorer:
    """Build the restorer of an installed file in torch. Raises WeightsDamaged."""
    assert found.known is not None
    repair()
    if found.known.architecture is Architecture.GFPGAN_CLEAN:
        network = _gfpgan_clean()
    else:
        from gfpgan.archs.restoreformer_arch import RestoreFormer

        network = RestoreFormer()
    network = fill(network, load_state_dict(found.path), found.path)
    return TorchRestorer(found.name, placement.settle(network), placement)


def _gfpgan_clean() -> nn.Module:
    """GFPGANv1Clean in the shape of the published v1.3 and v1.4."""
    from gfpgan.archs.gfpganv1_clean_arch import GFPGANv1Clean

    return GFPGANv1Clean(
        out_size=FACE_PX,
        num_style_feat=512,
        channel_multiplier=2,
        decoder_load_path=None,
        fix_decoder=False,
        num_mlp=8,
        input_is_latent=True,
        different_w=True,
        narrow=1,
        sft_half=True,
    )
