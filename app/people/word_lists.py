"""The words that safe words are drawn from, by language: concrete nouns that everybody can read, write and say aloud.

By hand, since what is packaged was made for passwords and wallets: with words that nobody wants to be greeted by, and
some that are hard to write. No word is about money or the post, none is in both lists, and none becomes another one
without its accents. 676 words make 456,300 pairs: nobody gets two tries at a customer who compares them.
"""

from __future__ import annotations

_ENGLISH = """
acorn airship alcove almond alpaca anchor ankle antelope antler apple apron archway armchair arrow attic autumn badger
bagpipe bakery balcony bamboo banner barley barn basin basket bathtub beach beacon bedside beehive beetle bellows bench
berry bicycle bilberry birch birdsong biscuit blackbird blanket blossom bluebell blueberry boardwalk boathouse bobsleigh
bonfire bonnet bookcase bookshop bookworm bottle boulder bowl bowstring bracelet bramble brass bread breeze brewer brick
bridge broccoli brook broom brush bubble bucket buckle buffalo bulldog bumblebee bunting butter buttercup butterfly
button cabbage cabin cactus camel camera campfire candle canoe canvas canyon caravan cardigan carnation carpet carrot
cashew castle cauldron cavern cedar cello chalk chapel cheese cherry chessboard chestnut chickpea chimney chipmunk
chisel cider cinnamon citadel clam clarinet clay cliff cloak clock cloud clover coast cobbler cobweb cocoa coconut
coffee collar comet compass copper coral cork corncob cornflower cottage cotton courtyard cowbell cowslip crab cradle
cranberry crane crayon creek cricket crocus crystal cucumber cupboard cupcake curlew curtain cushion cymbal cypress
daffodil dahlia daisy dandelion daybreak deckchair deer dewdrop dinghy dogwood dolphin donkey doorbell doorstep dormouse
doughnut dove dragonfly drawer driftwood drizzle drum duckling dumpling dune duvet eagle earlobe earring earth easel
eggcup eggshell eiderdown elbow elderberry elk ember emerald ermine evening fairground falcon farmyard feather fern
ferret ferry fiddle fiddler field fig finch firefly fireplace firewood fishpond flagpole flamingo flannel flax fleece
flint flounder flower foal fog footpath footstool forest fountain foxglove freckle frost fudge garden garland garlic
gate gazebo gazelle gecko geyser gherkin ginger giraffe glacier glider glove goatherd goldfish gondola goose gooseberry
gosling gown grape grapevine grass grasshopper gravel greenhouse guitar gull hailstone hairbrush halibut hammer hammock
hamper handbag harbour hare harness harp harvest hawthorn haystack hazelnut hearth heather hedge hedgehog helmet herring
hickory hillside hinge hive holly honey honeycomb hoof hopscotch horizon hornet horseshoe hourglass hummock hyacinth
iceberg igloo inkwell island ivy jackdaw jasmine jay jelly jersey jigsaw jug juniper kayak keel kelp kennel kettle
keyhole kingfisher kitchen kite kitten knapsack knee knitting koala ladder ladle ladybird lagoon lake lamb lamp lantern
larch lark laurel lavender lawn leaf leather leek lemon lemonade lentil lettuce lichen lighthouse lilac lily limestone
linen linnet lobster locket locust loft log lupin lynx magnet magnolia magpie mallard mallet mandolin mango mantle maple
marble marigold marmalade marmot marsh meadow melon mermaid midnight milkshake mill millstone mint mirror mitten
moccasin mole moonbeam moorhen moorland moose morning mosaic moss moth mountain moustache mug mulberry mushroom mussel
mustard narwhal nectarine needle nest newt nightcap nightingale noodle notebook nougat nuthatch nutmeg oak oar oasis
oatmeal oboe octopus olive onion opal orchard orchid osprey ostrich otter outcrop owl oxbow oyster paddle paddock
paintbrush palm pancake pansy panther parasol parrot parsley parsnip partridge pasture patchwork pavilion peach peacock
peanut pear pebble penguin peony pepper peppermint petal petticoat pheasant piano picnic pigeon pillow pineapple
pinecone pistachio pitcher plaice plaster platypus plum pomegranate pond pony poplar poppy porch porpoise porridge
potato pottery prairie primrose puddle puffin pumpkin puppy quail quarry quilt quince quiver rabbit raccoon radish raft
rainbow raincoat raindrop rake raspberry raven reed reindeer rhubarb ribbon river robin rocket rooftop rook rosebush
rosemary rowan rowboat rucksack saddle saffron sage sailboat salmon sandal sandbank sandcastle sapling sapphire sardine
saucepan saucer sawmill scarecrow scarf scooter seagull seal seashell seaweed sesame shallot shamrock shawl sheepdog
shelf shepherd shingle shore shovel shrimp shrub silk silver skylark sledge slipper snail sneaker snowdrop snowflake
snowman sofa songbird sorrel sparrow spatula spinach spindle spinet spire sponge spoon spring sprout spruce squash
squirrel stable stairway starfish starling stork strawberry stream sugar summer sundial sunflower sunset surfboard
swallow swan sweater swing sycamore tambourine tangerine tapestry tarragon tartan teacup teapot teaspoon terrace thicket
thimble thistle thrush thyme tiger timber toad toadstool toaster toboggan tomato topaz torch tortoise toucan tower
tractor treetop trellis trombone trousers trout truffle trumpet tuba tulip tunnel turbine turnip turquoise turtle twig
umbrella valley vanilla velvet verandah viaduct village vineyard viola violet violin waffle wagon wallflower walnut
walrus warbler wardrobe waterfall watermelon waterwheel weathercock wheat wheelbarrow whisker whistle wicker widgeon
wigwam wildflower willow windmill windowsill winter wolfhound wombat woodland woodpecker wool wren yacht yoghurt zebra
"""

_FRENCH = """
abeille abricot acacia accordéon agneau aiguille ail aile airelle alouette amande amarante ambre ampoule ananas ancre
anémone anguille anneau antilope aquarelle arbre arbuste arcade archet ardoise argile armoire arrosoir artichaut asperge
assiette atelier auberge aubergine aubépine aurore automne autruche avocette avoine azalée azur bagage baguette baie
balai balançoire balise ballon banane bananier banc bandeau barque barrique bascule basilic bassine bateau baudrier
bâton belette berceau berge berger betterave beurre bécasse bégonia bélier béret biche bille biscotte bison bleuet
bobine bocal boîte bonbon bosquet botte bottine bouée bougeoir bougie bouilloire boulanger boule bouleau bouquet bourdon
bourgeon boussole bouton bouvreuil branche brebis bretelle brindille brioche brise broche brocoli broderie brouette
brousse bruyère buis buisson bûche cabane cabas cabri cacao cadran caillou calanque calendrier calèche camélia campanule
canal canapé canard canari canette cannelle canot cap capuche capucine carafe caramel cardamome cardon caribou carotte
carpe carreau carrosse cartable cascade casquette casserole cassis castor cerceau cerf cerise cerisier cèdre céleri
chaise chaloupe chamois champignon chandelle chanson chapeau charrette charrue chaudron chaussette chaussure châtaigne
chemin cheminée chemise chenille cheval chevalet chevreuil chèvre chêne chicorée chocolat chou chouette ciboulette
cigale cigogne cime cirque ciseau citron citrouille clairière clarinette clavecin clef clémentine clocher clou
coccinelle coing colibri colline colombe colza commode concombre confiture copeau coq coquelicot coquillage corail
corbeau corbeille cordage cormoran coton coucou coudrier coupole courgette coussin couteau cresson crevette crêpe
criquet crocodile croissant cruche cuillère cuivre cumin cygne dalle damier datte dattier dauphin dentelle désert
domino drapeau enclume encrier escabeau escalier escargot espalier esquif estuaire eucalyptus ébène écharpe échelle
éclair écluse écorce écran écrevisse écrin écureuil édredon églantine élan éléphant émeraude épaule éperon épervier
épice épinard éponge érable étable étagère étang étoile étourneau étui éventail fagot faisan faïence falaise fanfare
farine faucon fauteuil fauvette fenêtre fenouil fermier feuille feutre fève ficelle figue figuier filet flanelle fleur
flèche flocon flûte foin fontaine forêt fougère foulard four fourchette fourmi fraise framboise frêne friandise fromage
fusain fuseau gabare galet gant garenne gaufre genévrier genêt gentiane géranium girafe girofle girolle givre glaçon
glaïeul glycine goéland goudron gouttière goûter goyave grain grange gravier grelot grenade grenier grenouille grillon
grive groseille grotte gruau guêpe guirlande guitariste hamac hameau hanneton haricot harmonica hautbois havre hermine
hérisson héron hêtre hibiscus hibou hirondelle horloge hortensia houblon houx huître ibis iris ivoire île jacinthe jambe
jardin jarre jasmin jonc jonquille joujou jupe kaki kangourou kiosque kiwi lac lagune laine lait laitue lama lampadaire
lampion landau languette lanterne lapin lavande lavoir lentille lessive levain léopard lézard libellule lierre lièvre
lilas limace limande limonade linotte lionceau lisière loir loriot loutre lucarne luge lune lunette luth luzerne lys
macaron magnolier maison maïs mandarine mangue manteau marais marche marguerite marin marjolaine marmite marmotte marron
marteau martinet mâche menthe menuisier merise merle meule mélèze mélisse mésange miel miette mimosa mirabelle miroir
moineau moisson montagne montre moquette morille mouette moufle moulin mousse moutarde mouton muguet mulot muraille
muscade musette mûre myosotis myrtille nacelle nacre nappe narcisse natte navet navette neige nénuphar nichoir nid
noisetier noisette noix nuage nymphe oasien océan oignon oiseau olivier ombrelle orage orange oranger oreiller orge
origan orme ortie osier ouragan ourson outarde paille palais palmier palombe pamplemousse panier panneau papaye papillon
papyrus paquebot parapluie parchemin parfum parquet passerelle pastel pastèque patin pavillon peigne peinture pelote
peluche perche perdrix pergola perle perron persil pervenche peuplier pélican pétale pêche pêcher phare phoque pic pie
pied pigeonnier pignon pinceau pinède pingouin pinson pintade piquet pirogue pistache pivoine placard plage plaine
planche platane plateau plume poêle poireau pois poivre poivron pomme pommier ponton portail potager poterie potiron
poulain poupée praline primevère prisme prunelle puits pupitre quartz quenelle radeau radis raisin rameau ramure rayon
reinette renard renne récif réglisse réséda réverbère rhubarbe ricin rideau rivage rivière rizière robinet rocher
romarin ronce rosace roseau rosée rosier rossignol rouet rouleau ruban ruche ruelle ruisseau sable sablier sabot safran
salade salamandre samovar sandale sapin sarcelle sarrasin satin sauge saule saumon sauterelle savane savon scarabée scie
seau seigle sel semelle sentier serin serre serviette sifflet sirop sittelle soie sole soleil sonate sorbet sorbier
soupière source souris spirale statue store sureau tabouret taille talus tamaris tamis tapis tartine tasse taupe
terrasse théière tige tigre tilleul tisane toison toit tomate tonneau topinambour tortue toupie tourelle tournesol
tourterelle traîneau treille tremplin trèfle tricot tricycle trompette tronc trottoir truelle truite tulipe turbot vague
valise vallée vallon vanneau vase veau velours vendange verger verveine vigne violette violon viorne voilier volcan
volet volière yaourt yole zèbre zéphyr
"""

WORDS: dict[str, tuple[str, ...]] = {"en": tuple(_ENGLISH.split()), "fr": tuple(_FRENCH.split())}
