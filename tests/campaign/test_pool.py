"""Pools: whatever people have, with ids."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy import sparse
from skorch import NeuralNetClassifier
from torch.utils.data import Subset

from skbadge import ActiveLearner, Campaign, MarginSampling
from skbadge.campaign import ImageFiles
from skbadge.campaign._pool import as_pool, id_key
from skbadge.exceptions import InvalidInputError
from skbadge.modules import lean_settings
from tests._learning import make_learner
from tests.campaign._campaigns import N_POOL, NAMES, X, open_campaign

FRAME = pd.DataFrame(
    {"key": ["007", "NA", "3"], "text": ["a", "b", "c"], "x": [1, 2, 3]}
)


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return torch.full((2,), float(i)), 0


def images(folder, names, size=(6, 4)):
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (i * 40, 0, 255)).save(path)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_tables_in_files(tmp_path, suffix):
    path = tmp_path / f"pool{suffix}"
    if suffix == ".parquet":
        FRAME.to_parquet(path)
    else:
        FRAME.to_csv(path, sep="\t" if suffix == ".tsv" else ",", index=False)
    pool = as_pool(path, "key")
    assert pool.keys == ["007", "NA", "3"]
    assert pool.X.columns.tolist() == ["text", "x"]
    assert pool.table(["3", "007"])["text"].tolist() == ["c", "a"]


def test_tables_in_memory():
    assert as_pool(FRAME).keys == ["0", "1", "2"]
    assert as_pool(FRAME, ["a", "b", "c"]).keys == ["a", "b", "c"]
    pool = as_pool(FRAME, "key", inputs="text", show=["x"])
    assert isinstance(pool.X, pd.Series) and pool.shown.columns.tolist() == ["x"]
    assert as_pool(FRAME, "key", inputs=["x"]).X.columns.tolist() == ["x"]
    assert as_pool(pool) is pool


def test_columns_that_bear_our_names_stay_apart():
    frame = FRAME.rename(columns={"text": "rank", "x": "id"})
    table = as_pool(frame, "key").table(["007"])
    assert table.columns.tolist() == ["id", "rank_", "id_"]


def test_arrays(tmp_path):
    X = np.arange(6.0).reshape(3, 2)
    np.save(tmp_path / "X.npy", X)
    (tmp_path / "ids.txt").write_text("a\nb\nc\n")
    np.savez(tmp_path / "X.npz", X=X, ids=np.array(["a", "b", "c"]))
    for pool in (
        as_pool(tmp_path / "X.npy", tmp_path / "ids.txt"),
        as_pool(tmp_path / "X.npz"),
        as_pool(X, ["a", "b", "c"]),
        as_pool(torch.tensor(X), ["a", "b", "c"]),
        as_pool({"x": X, "y": X}, ["a", "b", "c"]),
        as_pool(sparse.csr_matrix(X), ["a", "b", "c"]),
        as_pool(Rows(), ["a", "b", "c"]),
    ):
        assert pool.keys == ["a", "b", "c"]
        turned = pool.aligned(["c", "a", "b"])
        assert turned.at == {"c": 0, "a": 1, "b": 2}
        # The contents go with the ids.
        assert turned.sample() == pool.sample() and len(pool.sample()) == 3


def test_folders_of_images(tmp_path):
    images(tmp_path, ["b.png", "sub/a.JPG", "c.png"])
    (tmp_path / "notes.txt").write_text("no image")
    pool = as_pool(tmp_path, image_size=(5, 7))
    assert pool.keys == ["b.png", "c.png", "sub/a.JPG"]
    row, _ = pool.X[0]
    assert row.shape == (3, 5, 7) and row.dtype == torch.float32
    assert row[2].max() == 1 and row[1].max() == 0
    assert as_pool(tmp_path, gray=True).X[0][0].shape == (1, 64, 64)
    turned = pool.aligned(["sub/a.JPG", "b.png", "c.png"])
    assert isinstance(turned.X, ImageFiles) and turned.X.names[0] == "sub/a.JPG"
    before = pool.sample()
    images(tmp_path, ["x.png", "b.png"])
    changed = as_pool(tmp_path).sample()
    assert [id for id in before if before[id] != changed[id]] == ["b.png"]


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    images(tmp_path, ["a.png", "b.png"], size=(64, 64))
    (tmp_path / "a.png").write_bytes((tmp_path / "b.png").read_bytes()[:60])
    (tmp_path / "c.png").write_text("no picture")
    rows = as_pool(tmp_path).X
    for i in (0, 2):
        with pytest.raises(
            InvalidInputError, match=f"Got '{rows.names[i]}' with: .* Mend it"
        ):
            rows[i]
    assert rows[1][0].shape == (3, 64, 64)


class Flat(torch.nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.head = torch.nn.Linear(n_features, 2)

    def forward(self, X):
        return self.head(X.flatten(1))


def flat_learner(n_features):
    net = NeuralNetClassifier(
        Flat,
        module__n_features=n_features,
        criterion=torch.nn.CrossEntropyLoss,
        batch_size=4,
        **lean_settings(),
    )
    strategy = MarginSampling()
    return ActiveLearner(net, strategy=strategy, classes=["a", "b"], random_state=0)


def test_a_picture_that_was_skipped_is_not_read(tmp_path):
    """Neither for a training, nor for what is asked next."""
    names = [f"{i:02}.png" for i in range(12)]
    images(tmp_path, names)
    (tmp_path / "03.png").write_text("no picture")
    campaign = Campaign(
        tmp_path / "campaign", flat_learner(3 * 4 * 6), tmp_path, image_size=(4, 6)
    )
    campaign.tell(dict(zip(names[:3], "aba", strict=True)))
    with pytest.raises(InvalidInputError, match=r"Got '03.png' with: .*Mend it"):
        campaign.ask(3)
    campaign.skip(["03.png"])
    batch = campaign.ask(3)["id"]
    assert campaign.learner.n_labeled_ == 3
    assert len(batch) == 3 and "03.png" not in set(batch)


def test_a_data_set_that_was_exchanged_is_told(tmp_path):
    def opened(shift):
        rows = Subset([(torch.full((2,), i + shift), 0) for i in range(30)], range(30))
        return Campaign(tmp_path, flat_learner(2), rows, ids=range(30))

    campaign = opened(0.0)
    campaign.tell({i: "ab"[i % 2] for i in range(10)})
    before = campaign.train().predict_proba(torch.ones(1, 2))
    opened(0.0)
    with pytest.warns(UserWarning, match="of 20 compared, 20"):
        campaign = opened(0.5)
    # Nor are parameters taken that were trained on other rows.
    assert not np.array_equal(campaign.learner.predict_proba(torch.ones(1, 2)), before)


class Drawn(Rows):
    """Rows with noise: none is the same when it is read again."""

    def __getitem__(self, i):
        return torch.full((2,), float(i)) + torch.randn(2), 0


class Torn(Rows):
    """Rows of which one cannot be read."""

    def __getitem__(self, i):
        return super().__getitem__(i + 0 // (i - 1))


class TestRowsReadByCodeOfTheUsers:
    def test_their_contents_are_known_where_they_stay(self):
        assert len(as_pool(Rows(), list("abc")).sample()) == 3
        assert set(as_pool(Torn(), list("abc")).sample()) == {"a", "c"}
        torch.manual_seed(3)
        before = torch.get_rng_state()
        assert as_pool(Drawn(), list("abc")).sample() == {}
        assert torch.equal(torch.get_rng_state(), before)

    def test_the_label_of_an_item_is_no_content(self):
        labeled = [(torch.ones(2), 0), (torch.ones(2), 1)]
        rows = Subset(labeled, [0, 1])
        sample = as_pool(rows, ["a", "b"]).sample()
        assert sample["a"] == sample["b"]

    def test_few_are_read_and_once_a_pool(self):
        read = []

        class Many(Rows):
            def __len__(self):
                return 1000

            def __getitem__(self, i):
                read.append(i)
                return super().__getitem__(i)

        pool = as_pool(Many(), range(1000))
        assert len(pool.sample()) == 20 and pool.digest(["1"]) == pool.digest(["2"])
        assert len(read) == 40


def test_contents_stay_the_same_when_integers_become_floats():
    gaps = pd.concat([FRAME, pd.DataFrame({"key": ["4"], "text": ["d"]})])
    before, after = as_pool(FRAME, "key").sample(), as_pool(gaps, "key").sample()
    assert all(after[id] == seen for id, seen in before.items())


@pytest.mark.parametrize("id", [1.0, True, None, "", b"a", "\ud800"])
def test_ids_are_text_or_ints(id):
    with pytest.raises(InvalidInputError, match="An id must be text"):
        id_key(id)


def test_ids_of_both_kinds():
    assert id_key(np.int32(7)) == id_key("7") == "7"
    assert id_key(np.str_("a")) == "a"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_as_spreadsheets_write_them(tmp_path, separator, encoding):
    frame = pd.DataFrame({"key": ["007", "NA"], "text": ["é", "a b"]})
    path = tmp_path / "x.csv"
    frame.to_csv(path, sep=separator, encoding=encoding, index=False)
    pool = as_pool(path, "key")
    assert pool.keys == ["007", "NA"] and pool.shown["text"].tolist() == ["é", "a b"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", b""),
        ("x.csv", b"key,a\n1,2\n1,2,3\n"),
        ("x.csv", b"key\n\xe9\n"),
        ("x.csv", b"\xff\xfek"),
        ("x.parquet", b"no"),
        ("x.npy", b"no"),
        ("x.npy", b""),
        ("x.npz", b"PK no"),
    ],
)
def test_files_that_are_not_what_their_name_says(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInputError, match=f"{name}.* must be a file of the kind"):
        as_pool(tmp_path / name, "key")


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object))
    (tmp_path / "ids").write_text("a")
    with pytest.raises(InvalidInputError, match="must be a file of the kind"):
        as_pool(tmp_path / "x.npy", tmp_path / "ids")


@pytest.mark.parametrize("given", [{"inputs": "x"}, {"show": ["x"]}])
def test_columns_of_what_has_none(tmp_path, given):
    for pool in (np.eye(3), tmp_path):
        with pytest.raises(InvalidInputError, match="must be left away for"):
            as_pool(pool, None if pool is tmp_path else range(3), **given)
    with pytest.raises(InvalidInputError, match="ids are the names of the files"):
        as_pool(tmp_path, "name")


def test_lines_of_a_file_are_no_ids(tmp_path):
    FRAME.to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(InvalidInputError, match="ids must name the column"):
        as_pool(tmp_path / "x.csv")


def test_the_pool_of_another_campaign_is_refused(tmp_path):
    open_campaign(tmp_path)
    text = "none has an id known here: theirs are '0'.*known are 'T-0'"
    with pytest.raises(InvalidInputError, match=text):
        Campaign(tmp_path, make_learner(classes=NAMES), X, ids=range(N_POOL))
    assert Campaign(tmp_path).status().n_pool == N_POOL


def test_pools_that_cannot_be_read(tmp_path):
    twice = FRAME.assign(key=["a", "a", "b"])
    (tmp_path / "x.txt").touch()
    np.savez(tmp_path / "no.npz", Y=np.eye(2))
    np.save(tmp_path / "X.npy", np.eye(2))
    (tmp_path / "empty").mkdir()
    for pool, ids, text in (
        (twice, "key", "distinct. Got 'a' more than once"),
        (FRAME, "no", r"must have the columns \['no'\]"),
        (FRAME, ["a"], "each of the 3 rows.*Got 1"),
        (np.eye(2), None, "one id for each row"),
        (tmp_path / "no.csv", None, "is not there"),
        (tmp_path / "x.txt", None, "must be a .csv"),
        (tmp_path / "no.npz", None, "must hold the arrays X and ids"),
        (tmp_path / "X.npy", "no.txt", "text file with one id a line"),
        (tmp_path / "empty", None, "must hold files"),
    ):
        with pytest.raises(InvalidInputError, match=text):
            as_pool(pool, ids)
