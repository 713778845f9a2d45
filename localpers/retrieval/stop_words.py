"""Words that tell nothing of a topic, by language, and the language that a query is in.

What is such a word in one language names things in another: "war", "son", "ai", "van". So only the
words of one language count, and none that stands in capitals ("AI", "IT").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

FOREIGN = 2
"""So many more words of a language that no document is in must a query hold to be taken for it."""


def _words(lines: str) -> frozenset[str]:
    return frozenset(lines.split())


STOP_WORDS: Mapping[str, frozenset[str]] = {
    "en": _words(
        """
        since until till
        a an the this that these those my your his her its our their me i you he she it we they
        us them him and or but not no nor so if then than too very just also only is am are was
        were be been being do does did doing have has had having can could will would shall
        should may might must of in on at to from by with for about into over under between
        through during before after above below up down out off again what which who whom whose
        when where why how there here all any both each few more most other some such don doesn
        didn isn aren wasn weren won wouldn couldn shouldn t s re ve ll d m get got go going i'm
        it's what's
        """
    ),
    "de": _words(
        """
        seit bis
        der die das den dem des ein eine einen einem einer eines und oder aber nicht kein keine
        ist sind war waren sein bin bist wird werden wurde wurden hat habe haben hatte hatten
        kann können konnte soll sollte muss ich du er sie es wir ihr mich mir dich dir uns euch
        ihm ihn ihnen mein meine meinen meiner meinem dein deine unser unsere in im an am auf
        aus bei mit nach von vom vor zu zum zur für über unter um durch als wie was wer wo wann
        warum welche welcher welches wenn dass da so auch nur noch schon sehr denn sich gibt mal
        doch man
        """
    ),
    "fr": _words(
        """
        le la les un une des du de d l et ou mais ne pas est sont était étaient être suis es a
        ai as avons avez ont avait je tu il elle nous vous ils elles on me te se mon ma mes ton
        ta tes son sa ses notre nos votre leur leurs ce cet cette ces qui que quoi quel quelle
        quels quelles où quand comment pourquoi dans sur sous avec sans pour par en au aux y si
        plus qu c j n s m t
        """
    ),
    "es": _words(
        """
        el los las lo una unos unas y e o u pero no es son era eran ser soy eres está están fue
        fueron ha han he hemos había yo tú él ella nosotros ellos ellas me te se nos mi mis tu
        tus su sus nuestro nuestra este esta estos estas ese esa que quién quien cuál cual
        cuándo cuando dónde donde cómo como por para con sin sobre entre en del al qué más muy
        la un de a si le les
        """
    ),
    "it": _words(
        """
        il lo gli i uno ed ma non è sono era erano essere ho hai ha abbiamo hanno io lui lei noi
        voi loro mi ti si ci mio mia miei mie tuo tua suo sua nostro questo questa questi queste
        che chi cosa quale quando dove come perché per con da di nel nella nei del della dei
        delle al alla su tra fra più la le un una e o in a se ne c l d
        """
    ),
    "pt": _words(
        """
        os as um uma ou mas não são foi foram ser estou está eu ele ela nós eles elas meu minha
        meus minhas seu sua que quem qual quando onde como porque por para com sem em no na nos
        nas do da dos das ao à mais o a e de se era
        """
    ),
    "nl": _words(
        """
        het een van en maar niet is zijn was waren ben bent heeft heb had ik jij hij zij wij
        jullie mij hem haar ons mijn jouw dit dat deze die wat wie waar wanneer waarom hoe welke
        in op aan bij met naar uit voor over onder door als dan ook nog om te er de of je u ze
        we
        """
    ),
    "ru": _words(
        """
        и в во не что он на я с со как а то все она так его но да ты к у же вы за бы по только
        ее её мне было вот от меня еще ещё нет о об обо из ему теперь когда даже ну ли если уже
        или ни быть был была были есть него до вас нибудь уж вам ведь там потом себя ничего ей
        может они тут где надо ней для мы тебя их чем сам чтоб без будто чего раз тоже себе под
        будет тогда кто этот это эта эти этого того потому какой какая какие которые который ним
        здесь этом почти мой моя мои мое моё тем чтобы нее неё куда зачем при про над через эту
        нас наш наша всех между сколько почему либо
        """
    ),
    "uk": _words(
        """
        і й та в у не що він на я з із зі як а то все вона так його але ти до ж ви за б по
        тільки її мені було від мене ще ні про об йому коли навіть чи якщо вже або бути був була
        були є там де для ми тебе їх цей це ця ці того хто який яка які мій моя мої при над
        через нас наш між скільки чому
        """
    ),
    "pl": _words(
        """
        i w we nie że on na ja z ze jak a to wszystko ona tak jego ale ty do u wy za by po tylko
        jej mi było oto od mnie jeszcze o mu teraz kiedy nawet no czy jeśli już lub albo ni być
        był była były jest są was tam potem siebie nic może oni tu gdzie dla my ciebie ich czym
        bez też pod będzie kto ten ta te tego dlatego jaki jaka jakie który która które tym aby
        przy nad przez nas nasz mój moja moje co się
        """
    ),
    "sv": _words(
        """
        och det att i en jag hon som han på den med var sig för så till är men ett om hade de av
        icke inte mig du henne då sin nu har inga honom skulle hans mot över vem vad vilken
        vilka här hur när varför man vi era eller kan mina min mitt dina din ditt från där denna
        detta dessa ha vara bli blev blir ut under vid
        """
    ),
    "da": _words(
        """
        og i jeg det at en den til er som på de med han af for ikke der var mig sig men et har
        om vi min havde ham hun nu over da fra du ud sin dem os op hans hvor eller hvad skal her
        alle vil blev kunne ind når være dog noget ville jo deres efter ned skulle denne end
        dette mit også under have dig anden hende mine alt meget sit sine vor mod hvis din nogle
        hos blive mange ad bliver hendes været hvem hvilken hvorfor
        """
    ),
    "no": _words(
        """
        og i jeg det at en et den til er som på de med han av ikke der var meg seg men har om vi
        min hadde ham hun nå over da fra du ut sin dem oss opp man kan hans hvor eller hva skal
        selv her alle vil bli ble blitt kunne inn når være kom noen noe ville deres bare enn
        dette mitt mine også under ha deg din hvem hvilken hvorfor hvis mot
        """
    ),
    "tr": _words(
        """
        ve bir bu da de için ile mi mı mu mü ne o çok gibi daha ama ben sen biz siz onlar ki en
        var yok olarak ya hem her şey şu kadar sonra önce nasıl neden niçin niye kim nerede
        hangi benim senin onun bizim sizin bana sana ona bunu şunu onu ise veya diye değil
        hakkında
        """
    ),
    "ar": _words(
        """
        في من على الى إلى عن مع هذا هذه ذلك تلك التي الذي الذين هو هي هم انا أنا نحن انت أنت كان
        كانت يكون ما ماذا متى أين اين كيف لماذا هل لا لم لن ليس قد كل بعض بين عند حتى او أو و ثم
        أن ان إن اذا إذا لكن كما حول به بها له لها فيه فيها منه منها عليه عليها هناك هنا
        """
    ),
    "id": _words(
        """
        dan di ke dari yang untuk pada dengan ini itu adalah ada tidak saya aku kamu dia kami
        kita mereka apa siapa kapan mana bagaimana mengapa akan sudah telah oleh sebagai atau
        juga bisa dapat dalam tentang
        """
    ),
    "fi": _words(
        """
        ja on ei se että en hän ovat oli mutta niin kun kuin minä sinä me te he mitä mikä joka
        jotka tai jos myös vain jo sen siitä tämä nämä tuo minun sinun hänen missä milloin miksi
        miten kuka olen olet olla ollut
        """
    ),
}
"""ISO 639-1 → the closed classes: articles, pronouns, prepositions, auxiliaries, question words."""

ARTICLES = _words(
    "the an der die das den dem des ein eine les une des el los las il lo gli uma het"
)
"""Which tell more of a language than other words do."""
ANY = frozenset().union(*STOP_WORDS.values())
"""Of any of the languages."""


def stop_words_of(words: Sequence[str], languages: Sequence[str]) -> frozenset[str]:
    """The stop words of the language that these words, folded, most likely are in; `languages` are
    those of the documents. Of equals, the first there is taken, and else the first of STOP_WORDS.
    """
    known = [language for language in languages if language in STOP_WORDS]
    ranked = [*known, *(language for language in STOP_WORDS if language not in known)]

    def evidence(language: str) -> float:
        held = [word for word in words if word in STOP_WORDS[language]]
        foreign = bool(known and language not in known)
        return len(held) + sum(word in ARTICLES for word in held) / 2 - (FOREIGN - 1) * foreign

    return STOP_WORDS[max(ranked, key=evidence)]
