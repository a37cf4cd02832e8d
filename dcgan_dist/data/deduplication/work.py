"""What is to be done: which images, by which method; and what an earlier call wanted in the same folder."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace

from dcgan_dist.data.deduplication.autoencoder import Autoencoder, load
from dcgan_dist.data.deduplication.comparison import THRESHOLD
from dcgan_dist.data.deduplication.marks import with_marks
from dcgan_dist.data.deduplication.options import DedupOptions
from dcgan_dist.data.deduplication.recipes import RECIPES, AutoencoderRecipe, PaperRecipe
from dcgan_dist.data.deduplication.record import CACHE, SCRATCH, Record, begin, require_ours
from dcgan_dist.data.deduplication.thumbnail_files import Unit, cut
from dcgan_dist.data.kept_shards import RECORD_FILE as KEPT_FILE
from dcgan_dist.data.preparation.processes import Workers
from dcgan_dist.data.preparation.progress import Progress
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import Index, ShardIndex, concatenate, find_index
from dcgan_dist.data.unprepared import find
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import MissingFile, Place, place, require_lasting

MODEL_FILE = "autoencoder.safetensors"


@dataclass(frozen=True, eq=False)
class Images:
    """A data set whose images are looked at.

    Attributes:
        address: as it was given.
        index: of all its images.
        units: of its thumbnails.
    """

    address: str
    index: Index
    units: tuple[Unit, ...]

    @property
    def identity(self) -> str:
        """Changes with the bytes of the shards, their order, and which members are images."""
        return hashlib.sha256(json.dumps([(unit.name, unit.first) for unit in self.units]).encode()).hexdigest()


@dataclass(frozen=True)
class Asked:
    """What can be said before any shard is opened.

    Attributes:
        options: of the call.
        out, cache: folders.
        shards: of the data.
        against: of the other data set, none where there is none.
        recipe: of the autoencoder, with the numbers of the call.
        threshold: largest difference of duplicates; None: all candidates are duplicates, as the paper has it.
        autoencoder: that was given; None: one is to be fitted.
    """

    options: DedupOptions
    out: Place
    cache: Place
    shards: tuple[Place, ...]
    against: tuple[Place, ...]
    recipe: AutoencoderRecipe
    threshold: float | None
    autoencoder: Autoencoder | None

    @property
    def scratch(self) -> Place:
        """Folder for what is needed until the work is done, which all machines that do it have to find."""
        return self.cache / "pairs"


@dataclass(frozen=True, eq=False)
class Work:
    """What is to be done, checked and begun."""

    asked: Asked
    images: Images
    against: Images | None
    record: Record

    @property
    def pairs(self) -> Place:
        """Folder for the pairs of this work alone: it is deleted at the end, while another OUT may use the cache."""
        what = json.dumps([self.asked.out.address, self.record.asked])
        return self.asked.scratch / hashlib.sha256(what.encode()).hexdigest()[:16]


def ask(options: DedupOptions) -> Asked:
    """See what is asked for, and that it is possible as far as that can be told at once.

    Raises:
        SettingsError: the folder holds something else, or the method has no such number.
        DataError: there are no shards, the model is none, or what is written would not last.
    """
    out = place(options.out)
    cache = place(options.cache) if options.cache else out / CACHE
    for where, option in ((out, "the folder OUT"), (cache, "--cache")):
        require_lasting(where, option)
    require_ours(out, out.names())
    if options.write_shards:
        _require_room(place(options.write_shards), out, cache)
    model = _given(options)
    recipe = model.recipe if model else with_numbers(RECIPES[options.method], options)
    threshold = None if isinstance(recipe, PaperRecipe) else options.threshold or THRESHOLD
    if threshold is None and options.threshold:
        raise SettingsError("threshold is given, but the method paper has no second look that it would be for")
    against = tuple(find(options.against)) if options.against else ()
    shards = tuple(find(options.data))
    if set(shards) & set(against):
        raise SettingsError(f"{min(set(shards) & set(against))} is in DATA and in --against: give other shards in one")
    return Asked(options, out, cache, shards, against, recipe, threshold, model)


def _require_room(shards: Place, out: Place, cache: Place) -> None:
    """See that the folder for new shards will hold nothing else; raises `SettingsError`."""
    held = shards.names()
    if held and KEPT_FILE not in held:
        raise SettingsError(f"write-shards is {shards}, which is not empty, it holds {min(held)}: choose a new folder")
    for folder, use in ((out, "results"), (cache, "thumbnails and codes")):
        if shards == folder:
            raise SettingsError(f"write-shards is {shards}, where the {use} are written: choose another folder")


def with_numbers(recipe: AutoencoderRecipe, options: DedupOptions) -> AutoencoderRecipe:
    """A recipe with the seed of the options, and with what else they say."""
    sample, radius = options.sample or recipe.sample, options.radius if options.radius >= 0 else recipe.radius
    return replace(recipe, seed=options.seed, sample=sample, radius=radius)


def _given(options: DedupOptions) -> Autoencoder | None:
    """The autoencoder that was given, None where none was; raises as `ask` does."""
    if not options.model:
        return None
    file = place(options.model)
    try:
        model = load(file)
    except MissingFile as error:
        raise DataError(f"model is {file}, which is not there: give the {MODEL_FILE} of an earlier call") from error
    made_by = "paper" if isinstance(model.recipe, PaperRecipe) else "default"
    if made_by != options.method:
        raise SettingsError(f"model is {file}, of the method {made_by}: give --method {made_by}, or another one")
    return model


def radius_of(asked: Asked) -> int:
    """Most bits in which codes of candidates differ."""
    return asked.options.radius if asked.options.radius >= 0 else asked.recipe.radius


def prepare_work(asked: Asked, workers: Workers) -> Work:
    """Open the data, and begin in the folder or continue there.

    Raises:
        SettingsError: an earlier call asked for something else, or marks are not those of its page.
        DataError: a shard is no tar, or there is no image in any of them.
    """
    options = asked.options
    images = _open(options.data, asked.shards, workers)
    against = _open(options.against, asked.against, workers) if asked.against else None
    wanted = {
        "data": images.identity,
        "against": against.identity if against else "",
        "method": options.method,
        "radius": radius_of(asked),
        "threshold": asked.threshold,
        "seed": options.seed,
        "model": asked.autoencoder.checksum if asked.autoencoder else "",
        "recipe": asdict(asked.recipe),
    }
    record = begin(asked.out, wanted)
    if options.marks:
        record = with_marks(record, place(options.marks), asked.out)
        record.save(asked.out)
    return Work(asked, images, against, record)


def _open(address: str, shards: tuple[Place, ...], workers: Workers) -> Images:
    index = find_index(shards) or _index(shards, workers)
    if not len(index):
        raise DataError(f"there is no image in {address}")
    return Images(address, index, tuple(cut(index)))


def _index(shards: tuple[Place, ...], workers: Workers) -> Index:
    found: dict[str, ShardIndex] = {}
    with Progress("indexed", "shards", len(shards)) as progress:
        for part in workers.each(_index_shard, None, ((shard,) for shard in shards)):
            found[part.shard] = part
            progress.add(1)
    return concatenate([found[shard.address] for shard in shards])


def _index_shard(common: None, shard: Place) -> ShardIndex:
    return index_shard(shard)


def clean(work: Work) -> None:
    """Delete what a complete work needs no more; thumbnails and codes stay."""
    work.pairs.delete()
    (work.asked.out / SCRATCH).delete()
    work.asked.out.delete_unfinished()
