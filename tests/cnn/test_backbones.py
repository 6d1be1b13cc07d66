"""Any image network of torchvision becomes a stream, and starts from weights learnt on images."""

from __future__ import annotations

import pytest
import torch
import torchvision
from safetensors.torch import save_file

import cnn
from cnn.models.backbones import mean_filters


@pytest.fixture
def weights(tmp_path):
    """Weights of an image network of 1000 classes, drawn at random."""
    torch.manual_seed(4)
    state = torchvision.models.get_model("shufflenet_v2_x0_5", weights=None).state_dict()
    save_file(state, tmp_path / "image.safetensors")
    return tmp_path / "image.safetensors", state


def test_flow_filters_start_as_the_mean_of_the_colour_filters(weights):
    path, state = weights
    model = cnn.build_model("temporal-backbone", classes=7, weights=path)
    assert model.config.pretrained == str(path)
    found = model.backbone.state_dict()
    assert found["conv1.0.weight"].shape == (24, 20, 3, 3)
    for channel in found["conv1.0.weight"].unbind(1):
        torch.testing.assert_close(channel, state["conv1.0.weight"].mean(1))
    same = [name for name in state if name not in ("conv1.0.weight", "fc.weight", "fc.bias")]
    assert all(torch.equal(found[name], state[name]) for name in same)
    assert found["fc.weight"].shape == (7, 1024)


def test_gray_pictures_look_alike_to_both_streams(weights):
    path, _ = weights
    spatial = cnn.build_model("spatial-backbone", classes=7, weights=path).eval()
    temporal = cnn.build_model("temporal-backbone", classes=7, weights=path).eval()
    gray = torch.randn(2, 1, 1, 56, 56)
    with torch.no_grad():
        first = spatial.backbone.conv1[0](gray[:, 0].expand(-1, 3, -1, -1))
        second = temporal.backbone.conv1[0](gray[:, 0].expand(-1, 20, -1, -1))
    torch.testing.assert_close(second / 20, first / 3, rtol=1e-4, atol=1e-5)


def test_mean_filters_keep_the_mean():
    filters = torch.randn(4, 3, 5, 5)
    spread = mean_filters(filters, channels=20)
    assert spread.shape == (4, 20, 5, 5)
    torch.testing.assert_close(spread.mean(1), filters.mean(1))


def test_a_saved_stream_needs_its_first_weights_no_more(tmp_path, weights):
    path, _ = weights
    model = cnn.build_model("temporal-backbone", classes=7, weights=path)
    cnn.save_model(tmp_path / "model", model)
    path.unlink()
    loaded, _ = cnn.load_model(tmp_path / "model")
    assert loaded.config == model.config
    clips = torch.randn(2, *model.config.input.clip_shape)
    with torch.no_grad():
        assert torch.equal(loaded(clips), model.eval()(clips))


@pytest.mark.parametrize(
    "backbone", ["resnet18", "vgg11", "googlenet", "mobilenet_v3_small", "squeezenet1_1"]
)
@pytest.mark.parametrize("name", ["spatial-backbone", "temporal-backbone"])
def test_image_networks_of_many_makes_take_frames_and_flow(name, backbone):
    with torch.device("meta"):
        model = cnn.build_model(name, classes=5, size="paper", backbone=backbone).eval()
        clips = torch.empty(2, *model.config.input.clip_shape)
        assert model(clips).shape == (2, 5)


def test_unknown_backbones_and_sizes_are_refused():
    with pytest.raises(ValueError, match=r"backbone must be one of alexnet, .*got 'resnet1'"):
        cnn.build_model("spatial-backbone", classes=3, backbone="resnet1")
    with (
        torch.device("meta"),
        pytest.raises(ValueError, match="vit_b_16 does not take images of 56x56 pixels: choose"),
    ):
        cnn.build_model("spatial-backbone", classes=3, backbone="vit_b_16")


def test_weights_that_do_not_fit_are_refused(tmp_path, weights):
    path, _ = weights
    with pytest.raises(FileNotFoundError, match=r"absent\.safetensors is absent: name a safetens"):
        cnn.build_model("spatial-backbone", classes=3, weights=tmp_path / "absent.safetensors")
    with pytest.raises(ValueError, match=r"does not fit mobilenet_v3_small: .* got nothing"):
        cnn.build_model("spatial-backbone", classes=3, backbone="mobilenet_v3_small", weights=path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"is no safetensors file .*: convert the weights"):
        cnn.build_model("spatial-backbone", classes=3, weights=path)
